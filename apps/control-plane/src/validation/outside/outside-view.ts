import { CertloopError, type OutsideLook, type ProofExpected } from '@certloop/contract'
import { createResolver, systemDnsServers, type DnsServer } from '@certloop/dns'
import type { AddressGuard } from '@certloop/plugin-kit'
import type { Outside } from '../validation-deps.ts'
import { delegatedName } from './delegation.ts'
import { bad, type Finding, type Sight } from './finding.ts'
import { lookForRecord } from './look-dns.ts'
import { lookForFile } from './look-http.ts'
import { lookForCertificate } from './look-tls-alpn.ts'
import { lookBefore } from './preflight.ts'

export interface OutsideViewDeps {
  /** As in the settings; empty: those of the system. */
  dnsServers: readonly DnsServer[]
  /** Of what names lead to, and of their DNS servers. The servers above may be asked in any case. */
  guard: AddressGuard
  now: () => Date
  /** Milliseconds for one server, and for one look. */
  timeoutMs?: number
  totalMs?: number
}

/** Sees what an authority would see. Nothing that is seen is thrown by look and preflight: it is a finding. */
export function createOutsideView({ dnsServers, guard, now, timeoutMs = 3000, totalMs = 20_000 }: OutsideViewDeps): Outside {
  const sight = (): Sight => ({ resolver: createResolver({ servers: dnsServers.length > 0 ? dnsServers : systemDnsServers(), timeoutMs }), guard, timeoutMs, signal: AbortSignal.timeout(totalMs) })
  const told = async (subject: string, run: () => Promise<{ visible: boolean; findings: Finding[] }>): Promise<OutsideLook> => {
    const at = now().toISOString()
    try {
      return { at, ...(await run()) }
    } catch (error) {
      if (!(error instanceof CertloopError)) throw error
      return { at, visible: false, findings: [bad(subject, error)] }
    }
  }
  const lookFor = (expected: ProofExpected) => {
    switch (expected.kind) {
      case 'dns': return lookForRecord(sight(), expected)
      case 'http': return lookForFile(sight(), expected)
      case 'tls-alpn': return lookForCertificate(sight(), expected)
    }
  }
  return {
    look: (expected) => told(expected.kind === 'dns' ? expected.recordName : expected.kind === 'http' ? expected.url : expected.name, () => lookFor(expected)),
    preflight: (asked) => told(asked.name, () => lookBefore(sight(), asked)),
    delegatedName: (recordName) => delegatedName(sight(), recordName),
  }
}
