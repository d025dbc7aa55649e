import { CertloopError } from '@certloop/contract'
import { serverText, type DnsAnswer } from '@certloop/dns'

interface Asked { keyName: string; /** "the change of … in the zone …" */ what: string; now: Date }

/** What the server said of the signature (RFC 8945, 5.2). */
const ofSignature: Readonly<Record<string, (asked: Asked, answer: DnsAnswer) => string>> = {
  BADKEY: ({ keyName }) => `it knows no key "${keyName}" of this algorithm (BADKEY). Compare name and algorithm with its configuration`,
  BADSIG: ({ keyName }) => `the secret of the key "${keyName}" is another one there (BADSIG)`,
  BADTIME: ({ now }, { tsig }) => `its clock and the clock here differ too much (BADTIME)${tsig?.serverTime ? `: there it is ${tsig.serverTime.toISOString()}, here ${now.toISOString()}` : ''}. Set the clocks`,
  BADTRUNC: () => 'it wants a longer signature (BADTRUNC)',
}
const refused: Readonly<Record<string, (asked: Asked) => string>> = {
  REFUSED: ({ keyName, what }) => `the key "${keyName}" is not allowed ${what} (REFUSED). Look at update-policy or allow-update of the zone`,
}
const failed: Readonly<Record<string, string>> = {
  NOTAUTH: 'it is not responsible for this zone (NOTAUTH)', NOTZONE: 'the name does not lie in this zone (NOTZONE)', NOTIMP: 'it takes no dynamic updates (NOTIMP)', FORMERR: 'it does not understand the message (FORMERR)', NXDOMAIN: 'there is no such zone (NXDOMAIN)',
}

/** The error for an answer that is no success, each in its own plain words. */
export function problemOf(answer: DnsAnswer, asked: Asked): CertloopError {
  const server = serverText(answer.server)
  const facts = { server, rcode: answer.rcode }
  const signature = answer.tsig?.error ?? 'NOERROR'
  if (signature !== 'NOERROR') return new CertloopError('DNS_PROVIDER_REFUSED', `DNS server ${server} refused ${asked.what}: ${ofSignature[signature]?.(asked, answer) ?? `it does not take the signature (${signature})`}.`, { ...facts, tsig: signature })
  const notAllowed = refused[answer.rcode]?.(asked)
  if (notAllowed) return new CertloopError('DNS_PROVIDER_REFUSED', `DNS server ${server}: ${notAllowed}.`, facts)
  const said = failed[answer.rcode]
  if (said) return new CertloopError('DNS_RECORD_FAILED', `DNS server ${server} did not make ${asked.what}: ${said}.`, facts)
  return new CertloopError('DNS_PROVIDER_UNREACHABLE', `DNS server ${server} is disturbed: it answered ${asked.what} with ${answer.rcode}.`, facts)
}
