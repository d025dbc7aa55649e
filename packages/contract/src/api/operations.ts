import { Type, type Static, type TSchema } from 'typebox'
import { actionKinds, certificateStatuses, deploymentStates, managements, orderStates } from '../states.ts'
import { idText, literals, instant } from '../text.ts'
import { permissions, type Permission } from './access.ts'
import { caOperations } from './ca-operations.ts'
import { authorityOperations, dnsProviderOperations, validationOperations } from './authority-operations.ts'
import { lifecycleOperations } from './lifecycle-operations.ts'
import { byId, list, op, page, query } from './operation.ts'
import * as r from './resources.ts'
import * as t from './target-resources.ts'

const certificate = byId({ id: idText('crt') })
const search = Type.Optional(Type.String({ maxLength: 200, description: 'Part of a name' }))
const strict = { additionalProperties: false } as const

export type { Operation } from './operation.ts'

export const operations = {
  // Sign-in
  getSession: op({ method: 'GET', path: '/session', access: 'self', tag: 'session', summary: 'Who is signed in', response: r.Session, status: 200 }),
  signIn: op({ method: 'POST', path: '/session', access: 'public', tag: 'session', summary: 'Sign in with user name and password', body: Type.Object({ name: Type.String({ maxLength: 200 }), password: Type.String({ maxLength: 1000 }) }, strict), response: r.Session, status: 200 }),
  signOut: op({ method: 'DELETE', path: '/session', access: 'self', tag: 'session', summary: 'Sign out', response: null, status: 204 }),
  changePassword: op({ method: 'POST', path: '/session/password', access: 'self', tag: 'session', summary: 'Choose a new password', body: Type.Object({ currentPassword: Type.String({ maxLength: 1000 }), newPassword: Type.String({ maxLength: 1000 }) }, strict), response: r.Session, status: 200 }),
  listApiTokens: op({ method: 'GET', path: '/api-tokens', access: 'token:read', tag: 'session', summary: 'API tokens', response: list(r.ApiToken), status: 200 }),
  createApiToken: op({ method: 'POST', path: '/api-tokens', access: 'token:write', tag: 'session', summary: 'Make an API token; its text is shown once', body: Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }), permissions: Type.Optional(Type.Array(Type.Unsafe<Permission>({ type: 'string', enum: [...permissions] }), { minItems: 1, uniqueItems: true })), expiresAt: Type.Optional(instant) }, strict), response: Type.Object({ token: Type.String(), apiToken: r.ApiToken }, strict), status: 201 }),
  deleteApiToken: op({ method: 'DELETE', path: '/api-tokens/{id}', access: 'token:write', tag: 'session', summary: 'Delete an API token at once', params: byId({ id: idText('tok') }), response: null, status: 204 }),
  listAuditEntries: op({ method: 'GET', path: '/audit', access: 'audit:read', tag: 'system', summary: 'Who did what', query: query({}), response: page(r.AuditEntry), status: 200 }),
  getSystem: op({ method: 'GET', path: '/system', access: 'system:read', tag: 'system', summary: 'Version and settings that matter to users', response: r.SystemInfo, status: 200 }),

  // Certificates
  listCertificates: op({ method: 'GET', path: '/certificates', access: 'certificate:read', tag: 'certificates', summary: 'Certificates under care', query: query({ search, status: Type.Optional(literals(certificateStatuses)), management: Type.Optional(literals(managements)), sort: Type.Optional(literals(['name', 'notAfter', '-notAfter', '-createdAt'] as const)) }), response: page(r.CertificateSummary), status: 200 }),
  createCertificate: op({ method: 'POST', path: '/certificates', access: 'certificate:write', tag: 'certificates', summary: 'Take a new identity under care', body: r.CertificateInput, response: r.CertificateDetail, status: 201 }),
  getCertificate: op({ method: 'GET', path: '/certificates/{id}', access: 'certificate:read', tag: 'certificates', summary: 'One certificate with versions, installations and configuration', params: certificate, response: r.CertificateDetail, status: 200 }),
  setManagement: op({ method: 'PUT', path: '/certificates/{id}/management', access: 'certificate:write', tag: 'certificates', summary: 'Managed, monitored or ignored', params: certificate, body: Type.Object({ management: literals(managements) }, strict), response: r.CertificateDetail, status: 200 }),
  setConfiguration: op({ method: 'PUT', path: '/certificates/{id}/configuration', access: 'certificate:write', tag: 'certificates', summary: 'Save the provisioning configuration, complete or as a draft', params: certificate, body: r.ConfigurationInput, response: r.CertificateDetail, status: 200 }),
  deleteCertificate: op({ method: 'DELETE', path: '/certificates/{id}', access: 'certificate:delete', tag: 'certificates', summary: 'Stop tracking; the servers are left alone', params: certificate, response: null, status: 204 }),
  getTimeline: op({ method: 'GET', path: '/certificates/{id}/timeline', access: 'certificate:read', tag: 'certificates', summary: 'What happened, newest first', params: certificate, query: query({}), response: page(r.TimelineEvent), status: 200 }),
  startAction: op({ method: 'POST', path: '/certificates/{id}/actions/{action}', access: 'certificate:read', tag: 'certificates', summary: 'Start a lifecycle action; watch the action, its orders and deployments', params: byId({ id: idText('crt'), action: literals(actionKinds) }), body: r.StartActionInput, response: r.Action, status: 202 }),
  confirmHostKey: op({ method: 'POST', path: '/certificates/{id}/targets/{targetId}/actions/confirm-host-key', access: 'certificate:write', tag: 'certificates', summary: 'Confirm the host key that was seen last on the way to a target: the fingerprint has to be the one you compared', params: byId({ id: idText('crt'), targetId: idText('tgt') }), body: t.ConfirmHostKeyInput, response: r.CertificateDetail, status: 200 }),
  getAction: op({ method: 'GET', path: '/actions/{id}', access: 'certificate:read', tag: 'certificates', summary: 'How an action is doing', params: byId({ id: idText('act') }), response: r.Action, status: 200 }),

  // Orders and deployments
  listOrders: op({ method: 'GET', path: '/orders', access: 'order:read', tag: 'orders', summary: 'Orders, newest first', query: query({ search, state: Type.Optional(literals(orderStates)), certificateId: Type.Optional(idText('crt')) }), response: Type.Object({ ...page(r.Order).properties, counts: r.OrderCounts }, strict), status: 200 }),
  getOrder: op({ method: 'GET', path: '/orders/{id}', access: 'order:read', tag: 'orders', summary: 'One order with its timeline', params: byId({ id: idText('ord') }), response: Type.Object({ order: r.Order, timeline: Type.Array(r.TimelineEvent) }, strict), status: 200 }),
  cancelOrder: op({ method: 'POST', path: '/orders/{id}/actions/cancel', access: 'order:write', tag: 'orders', summary: 'Cancel an order. What the authority may be issuing just now is waited for instead', params: byId({ id: idText('ord') }), response: r.Order, status: 200 }),
  lookAgainOrder: op({ method: 'POST', path: '/orders/{id}/actions/look-again', access: 'order:write', tag: 'orders', summary: 'Have the authority asked again what became of an order whose outcome is unknown', params: byId({ id: idText('ord') }), response: r.Order, status: 200 }),
  listDeployments: op({ method: 'GET', path: '/deployments', access: 'deployment:read', tag: 'deployments', summary: 'Deployments, newest first', query: query({ search, state: Type.Optional(literals(deploymentStates)), certificateId: Type.Optional(idText('crt')) }), response: page(r.DeploymentSummary), status: 200 }),
  getDeployment: op({ method: 'GET', path: '/deployments/{id}', access: 'deployment:read', tag: 'deployments', summary: 'One deployment with plan, steps and log', params: byId({ id: idText('dep') }), response: Type.Object({ deployment: r.DeploymentDetail, timeline: Type.Array(r.TimelineEvent) }, strict), status: 200 }),
  approveDeployment: op({ method: 'POST', path: '/deployments/{id}/actions/approve', access: 'deployment:approve', tag: 'deployments', summary: 'Approve the plan with this digest', params: byId({ id: idText('dep') }), body: Type.Object({ digest: Type.String({ pattern: '^[0-9a-f]{64}$' }) }, strict), response: r.DeploymentDetail, status: 202 }),
  cancelDeployment: op({ method: 'POST', path: '/deployments/{id}/actions/cancel', access: 'deployment:approve', tag: 'deployments', summary: 'Cancel a deployment; one that a bot works on is stopped and taken back', params: byId({ id: idText('dep') }), response: r.DeploymentDetail, status: 200 }),

  // Bots, authorities, server types
  listBots: op({ method: 'GET', path: '/bots', access: 'bot:read', tag: 'bots', summary: 'Bots', response: list(r.Bot), status: 200 }),
  createBot: op({ method: 'POST', path: '/bots', access: 'bot:write', tag: 'bots', summary: 'Announce a bot and make its join token', body: r.BotInput, response: r.BotCreated, status: 201 }),
  getBot: op({ method: 'GET', path: '/bots/{id}', access: 'bot:read', tag: 'bots', summary: 'One bot with detected servers and what it did', params: byId({ id: idText('bot') }), response: r.BotDetail, status: 200 }),
  scanBot: op({ method: 'POST', path: '/bots/{id}/actions/scan', access: 'bot:write', tag: 'bots', summary: 'Scan the host again', params: byId({ id: idText('bot') }), response: Type.Object({ taskId: idText('tsk') }, strict), status: 202 }),
  startRemoteScan: op({ method: 'POST', path: '/bots/{id}/remote-scans', access: 'bot:write', tag: 'bots', summary: 'Look at another host over SSH through this bot; read the scan until it has ended', params: byId({ id: idText('bot') }), body: t.RemoteScanInput, response: t.RemoteScan, status: 202 }),
  getRemoteScan: op({ method: 'GET', path: '/remote-scans/{id}', access: 'bot:read', tag: 'bots', summary: 'What a scan over SSH found', params: byId({ id: idText('scn') }), response: t.RemoteScan, status: 200 }),
  revokeBot: op({ method: 'POST', path: '/bots/{id}/actions/revoke', access: 'bot:write', tag: 'bots', summary: 'Revoke a bot at once', params: byId({ id: idText('bot') }), response: r.Bot, status: 200 }),
  listServerTypes: op({ method: 'GET', path: '/server-types', access: 'certificate:read', tag: 'server types', summary: 'Kinds of targets with their fields', response: list(r.ServerType), status: 200 }),

  ...authorityOperations,
  ...dnsProviderOperations,
  ...validationOperations,
  ...lifecycleOperations,
  ...caOperations,
} as const

export type Operations = typeof operations
export type OperationId = keyof Operations
type Part<T, K extends string> = T extends { [P in K]: infer S extends TSchema } ? Static<S> : undefined
export type ParamsOf<K extends OperationId> = Part<Operations[K], 'params'>
export type QueryOf<K extends OperationId> = Part<Operations[K], 'query'>
export type BodyOf<K extends OperationId> = Part<Operations[K], 'body'>
export type ResponseOf<K extends OperationId> = Operations[K]['response'] extends infer S extends TSchema ? Static<S> : undefined

/** News on GET /api/v1/events (server-sent events): what changed, to be read again. Needs certificate:read. */
export const changeKinds = ['certificate', 'order', 'deployment', 'action', 'bot', 'rollout', 'batch', 'bulk-change', 'authority', 'dns-provider', 'validation'] as const
export interface ChangeNotice { kind: (typeof changeKinds)[number]; id: string; certificateId?: string }
