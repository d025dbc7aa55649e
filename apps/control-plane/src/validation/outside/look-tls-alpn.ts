import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { CertloopError, type ProofExpected } from '@certloop/contract'
import { certificateParts, ipBytes, readCertificate } from '@certloop/pki'
import { addressesOf, inUrl } from './addresses.ts'
import { excerpt, problem, type Finding, type Sight } from './finding.ts'
import { unreachable } from './http-get.ts'
import { judgeAddresses, type Seen } from './look-http.ts'

type AlpnExpected = Extract<ProofExpected, { kind: 'tls-alpn' }>
const acmeIdentifier = '1.3.6.1.5.5.7.1.31'

/** Of an address, its name for reverse look-ups (RFC 8738, 6). */
function serverName(name: string): string {
  const bytes = isIP(name) === 0 ? undefined : ipBytes(name)
  if (!bytes) return name
  return bytes.length === 4 ? `${[...bytes].toReversed().join('.')}.in-addr.arpa` : `${[...bytes.toString('hex')].toReversed().join('.')}.ip6.arpa`
}

interface Shown { protocol: string; certificate: Buffer | undefined }

function handshake({ timeoutMs, signal }: Sight, address: string, { name, port }: AlpnExpected): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, servername: serverName(name), ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false, minVersion: 'TLSv1.2' })
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const finish = (settle: () => void) => {
      until.removeEventListener('abort', onTime)
      socket.removeAllListeners().on('error', () => {})
      socket.destroy()
      settle()
    }
    const onTime = () => finish(() => reject(Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' })))
    until.addEventListener('abort', onTime, { once: true })
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('close', () => finish(() => reject(Object.assign(new Error('the connection was closed during the handshake'), { code: 'ECONNRESET' }))))
    socket.on('secureConnect', () => {
      const shown = { protocol: socket.alpnProtocol || 'none', certificate: socket.getPeerX509Certificate()?.raw }
      finish(() => resolve(shown))
    })
  })
}

/** RFC 8737, 3. @returns what is wrong; undefined: nothing */
function fault({ protocol, certificate }: Shown, { name, digest }: AlpnExpected): string | undefined {
  if (protocol !== 'acme-tls/1') return 'the server does not speak "acme-tls/1" for this name and shows its usual certificate'
  if (!certificate) return 'the server shows no certificate'
  const [facts, parts] = [readCertificate(certificate), certificateParts(certificate)]
  const names = facts.alternativeNames.map((each) => each.value.toLowerCase())
  if (names.length !== 1 || names[0] !== name.toLowerCase()) return `the certificate is for ${names.join(', ') || 'no name'}, not for ${name} alone`
  const value = parts.extensions.get(acmeIdentifier)
  if (!value) return 'the certificate has no acmeIdentifier extension'
  if (facts.extensions.find(({ oid }) => oid === acmeIdentifier)?.critical !== true) return 'the acmeIdentifier extension of the certificate is not critical'
  if (value.toString('hex') !== `0420${digest.toLowerCase()}`) return 'the certificate is for another validation: its digest is not the expected one'
  const own = new X509Certificate(certificate)
  return own.checkIssued(own) && own.verify(own.publicKey) ? undefined : 'the certificate is not signed by itself'
}

async function see(sight: Sight, address: string, expected: AlpnExpected): Promise<Seen> {
  const title = `port ${expected.port} at ${address}`
  try {
    const wrong = fault(await handshake(sight, address, expected), expected)
    return { address, title, words: wrong ?? 'shows the certificate of the validation', error: wrong === undefined ? null : problem('WEB_ANSWER_WRONG', `At ${inUrl(address)} ${wrong}.`, { address }) }
  } catch (error) {
    if (error instanceof CertloopError) return { address, title, words: '', error }
    const reached = unreachable(error, `${inUrl(address)} port ${expected.port}`)
    const refused = problem('WEB_ANSWER_WRONG', `At ${inUrl(address)} the handshake for "acme-tls/1" fails: ${excerpt((error as Error).message)}. The server does not hand it to what answers the validation.`, { address })
    return { address, title, words: '', error: reached.code === 'WEB_PORT_CLOSED' ? reached : refused }
  }
}

/** A handshake for the validation at every address of the name. */
export async function lookForCertificate(sight: Sight, expected: AlpnExpected): Promise<{ visible: boolean; findings: Finding[] }> {
  const { addresses, findings } = await addressesOf(sight, expected.name)
  const seen = judgeAddresses(await Promise.all(addresses.map((address) => see(sight, address, expected))))
  return { visible: seen.visible && findings.every(({ ok }) => ok), findings: [...findings, ...seen.findings] }
}
