/** Everything somebody can be allowed to do. `public` needs no sign-in; `self` only that somebody is signed in. */
export const permissions = [
  'certificate:read', 'certificate:write', 'certificate:order', 'certificate:deploy', 'certificate:revoke', 'certificate:delete',
  'order:read', 'order:write', 'deployment:read', 'deployment:approve', 'bot:read', 'bot:write',
  'authority:read', 'authority:write', 'dns:read', 'dns:write', 'ca:read', 'ca:issue', 'ca:revoke', 'ca:write', 'template:read', 'template:write', 'freeze:read', 'freeze:write', 'token:read', 'token:write', 'audit:read', 'system:read',
] as const
export type Permission = (typeof permissions)[number]
export type Access = Permission | 'public' | 'self'

export const roles = {
  administrator: permissions,
  operator: permissions.filter((p) => p !== 'token:write' && p !== 'audit:read' && p !== 'ca:write' && p !== 'authority:write' && p !== 'dns:write'),
  viewer: permissions.filter((p) => p.endsWith(':read') && p !== 'audit:read' && p !== 'token:read'),
} as const satisfies Record<string, readonly Permission[]>
export type Role = keyof typeof roles

/** All that an action needs: rotate and rekey order and deploy. One action runs at a time, so who may only read starts none. */
export const actionPermissions = {
  initiate: ['certificate:write'], order: ['certificate:order'], deploy: ['certificate:deploy'],
  rotate: ['certificate:order', 'certificate:deploy'], rekey: ['certificate:order', 'certificate:deploy'],
  renew: ['certificate:order', 'certificate:deploy'], regenerate: ['certificate:order', 'certificate:deploy'], 're-enrol': ['certificate:order', 'certificate:deploy', 'certificate:write'],
  revoke: ['certificate:revoke'], suspend: ['certificate:revoke'], resume: ['certificate:revoke'], 'recheck-pinning': ['certificate:deploy'],
} as const satisfies Record<import('../states.ts').ActionKind, readonly Permission[]>
