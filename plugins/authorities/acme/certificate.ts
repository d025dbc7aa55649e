import { CertloopError } from '@certloop/contract'
import { readCertificate, readCsr, splitPem } from '@certloop/pki'
import type { Accounts, AskingNoted } from './account.ts'
import type { Answer, Wire } from './wire.ts'

interface Downloading { name: string; accounts: Accounts; wire: Wire; preferredChain: string | undefined }
const accept = 'application/pem-certificate-chain'
const mostAlternates = 10
const mostCertificates = 20

/** Leaf first; a root at the end is left out. */
function chainOf(name: string, answer: Answer): string[] {
  const certificates = splitPem(answer.body, { maxBlocks: mostCertificates }).filter(({ label }) => label === 'CERTIFICATE').map(({ pem }) => pem)
  if (certificates.length === 0) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} gave something else in place of the certificate.`)
  const last = certificates.at(-1)
  return certificates.length > 1 && last !== undefined && readCertificate(last).isSelfIssued ? certificates.slice(0, -1) : certificates
}
const topIssuer = (chain: readonly string[]): string => {
  const { issuer, issuerFields } = readCertificate(chain.at(-1) ?? '')
  return issuerFields.findLast(({ type }) => type === 'CN')?.value ?? issuer
}

/**
 * The certificate with the chain that is preferred, by the issuer of its topmost certificate.
 * @throws CertloopError ORDER_EXPIRED: it is for another key, as the authority had given the same order to two requests
 */
export async function download({ name, accounts, wire, preferredChain }: Downloading, url: string, csrPem: string, asking: AskingNoted): Promise<string[]> {
  const read = (from: string) => accounts.post(from, '', { ...asking, accept })
  const answer = await read(url)
  // It is issued: what the refusal says of account or request does not count any more, and no other authority is to be asked.
  if (!answer.ok) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} has issued the certificate and does not hand it out: ${wire.refusal(answer, 'other').message}`)
  const usual = chainOf(name, answer)
  if (readCertificate(usual[0] ?? '').spkiDigest !== readCsr(csrPem).spkiDigest) {
    throw new CertloopError('ORDER_EXPIRED', `${name} had handed out the same order to another request for these names, and that one was first. Nothing was issued for this one.`)
  }
  if (preferredChain === undefined || topIssuer(usual) === preferredChain) return usual
  const offered = [topIssuer(usual)]
  for (const alternate of answer.links('alternate').slice(0, mostAlternates)) {
    const other = await read(alternate)
    if (!other.ok) continue
    const chain = chainOf(name, other)
    if (topIssuer(chain) === preferredChain) return chain
    offered.push(topIssuer(chain))
  }
  asking.note?.(`${name} offers no chain up to "${preferredChain}", so its usual one is taken. Offered: ${offered.map((one) => `"${one}"`).join(', ')}.`)
  return usual
}
