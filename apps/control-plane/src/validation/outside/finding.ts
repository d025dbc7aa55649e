import { CertloopError, type ErrorCode, type ErrorFacts, type OutsideLook } from '@certloop/contract'
import type { Resolver } from '@certloop/dns'
import type { AddressGuard } from '@certloop/plugin-kit'

/** What one place showed. `ok` with an error is a doubt: it is told, but stops nothing. */
export type Finding = OutsideLook['findings'][number]

export const good = (title: string, seen: string): Finding => ({ ok: true, title, seen, error: null })
export const doubt = (title: string, error: CertloopError): Finding => ({ ok: true, title, seen: error.message, error: error.toWire() })
export const bad = (title: string, error: CertloopError): Finding => ({ ok: false, title, seen: error.message, error: error.toWire() })
/** An error whose message is the whole of what was seen. */
export const problem = (code: ErrorCode, message: string, facts: ErrorFacts = {}): CertloopError => new CertloopError(code, message, facts)

/** What a look works with. */
export interface Sight {
  resolver: Resolver
  guard: AddressGuard
  /** Milliseconds for one server. */
  timeoutMs: number
  /** Aborted when the time for the whole is over. */
  signal: AbortSignal
}

export const mostAddresses = 20

/** Without what could break a line or fill a page. */
export const excerpt = (text: string, length = 100): string => {
  const plain = text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
  return plain.length > length ? `${plain.slice(0, length)}…` : plain
}
