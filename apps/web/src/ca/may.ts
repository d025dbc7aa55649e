import type { Session } from '@certloop/api-client'
import { useMay } from '../shared/api.ts'

type CaPermission = Extract<Session['permissions'][number], `ca:${string}`>

const rights: Record<CaPermission, string> = { 'ca:read': 'look at the built-in CA', 'ca:issue': 'issue certificates', 'ca:revoke': 'revoke certificates and publish lists', 'ca:write': 'change the built-in CA' }

/** Why the signed-in person can't do something here; null when they can. */
export function useForbidden(permission: CaPermission): string | null {
  return useMay(permission) ? null : `You may not ${rights[permission]}. Ask an administrator for the right ${permission}.`
}
