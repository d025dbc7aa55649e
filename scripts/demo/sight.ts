import { connect, type ConnectionOptions } from 'node:tls'
import type { X509Certificate } from 'node:crypto'
import type { Narrator } from './narrator.ts'

/** What one handshake of the demo itself showed; no word of Certloop's is taken for it. */
export interface Sight { fingerprint: string; issuer: string; keyKind: string; daysLeft: number; trusted: boolean }

/** One new handshake on loopback. @param ca judged against these roots; without them trust is not looked at */
export function look(port: number, servername: string, ca?: string): Promise<Sight> {
  const options: ConnectionOptions = { host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...(ca === undefined ? {} : { ca }) }
  return new Promise((resolve, reject) => {
    const socket = connect(options, () => {
      const certificate = socket.getPeerX509Certificate()
      if (certificate) resolve({ ...describe(certificate), trusted: socket.authorized })
      else reject(new Error('the server sent no certificate'))
      socket.end()
    })
    socket.setTimeout(5_000, () => { socket.destroy(new Error('no handshake within 5 seconds')) })
    socket.once('error', reject)
  })
}

function describe(certificate: X509Certificate): Omit<Sight, 'trusted'> {
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
  return {
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    issuer: certificate.subject === certificate.issuer ? 'signed by itself' : commonName(certificate.issuer),
    keyKind: asymmetricKeyType === 'rsa' ? `RSA ${asymmetricKeyDetails?.modulusLength}` : 'P-256',
    daysLeft: Math.round((certificate.validToDate.getTime() - Date.now()) / 86_400_000),
  }
}

/** "CN=Shop CA" without its mark. */
export const commonName = (name: string): string => /(?:^|\n)CN=([^,\n]*)/.exec(name)?.[1] ?? name
export const short = (fingerprint: string): string => `${fingerprint.slice(0, 16)}…`
const inWords = (sight: Sight) => `${short(sight.fingerprint)} ${sight.keyKind}, ${sight.daysLeft} days, ${sight.issuer}`

/** Two lines: what was served before a step and after it. */
export function compareSights(narrator: Narrator, before: Sight, after: Sight): void {
  const same = before.fingerprint === after.fingerprint
  narrator.entry('served before', inWords(before))
  narrator.entry('served now', same ? `${short(after.fingerprint)} the same as before` : inWords(after), same ? 'yellow' : 'green')
}
export const showSight = (narrator: Narrator, sight: Sight): void => { narrator.entry('served now', inWords(sight)) }
