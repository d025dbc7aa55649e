import type { AuthorityId } from '@certloop/contract'
import { openFor, sealFor } from '../plugin/sealed-values.ts'
import type { Secrets } from '../secret/secrets.ts'

const bindingOf = (id: AuthorityId) => `authority:${id}:secrets`
/** @returns null when there is nothing to keep */
export const sealValues = (secrets: Secrets, id: AuthorityId, secret: Readonly<Record<string, string>>): string | null => sealFor(secrets, bindingOf(id), secret)
/** @throws CertloopError SECRET_UNREADABLE */
export const openValues = (secrets: Secrets, { id, sealedSecrets }: { id: AuthorityId; sealedSecrets: string | null }): Record<string, string> => openFor(secrets, bindingOf(id), sealedSecrets)
