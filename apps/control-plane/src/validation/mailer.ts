import { isIPv4 } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { createTransport } from 'nodemailer'

export interface Mail {
  to: string
  subject: string
  text: string
  /** The same for a repetition, so that mail servers can tell. Without angle brackets. */
  id: string
}
export interface Mailer {
  /** @throws CertloopError MAIL_NOT_SENT with the answer of the server; facts.refused: it will not take it later either */
  send(mail: Mail): Promise<void>
}

const timeoutMs = 30_000
const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))

/**
 * smtps is TLS from the first byte. With smtp, TLS is used where the server offers it, and has to be there and be trusted
 * before a password is sent to another machine; without a password it is no worse than the plain text it takes the place of.
 */
function transportOf(smtpUrl: string) {
  const { protocol, hostname, port, username, password } = new URL(smtpUrl)
  const secure = protocol === 'smtps:'
  const auth = username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }
  const demands = username !== '' && !isLoopback(hostname)
  return createTransport({
    host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (secure ? 465 : username === '' ? 25 : 587), secure, requireTLS: !secure && demands, tls: { rejectUnauthorized: secure || demands }, ...auth,
    connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, disableFileAccess: true, disableUrlAccess: true,
  })
}

/** Sends through the mail server of the settings. @param smtpUrl smtp:// or smtps://, with user and password where it wants them; never repeated in a message */
export function createMailer({ smtpUrl, from }: { smtpUrl: string; from: string }): Mailer {
  const { host } = new URL(smtpUrl)
  const transport = transportOf(smtpUrl)
  return {
    async send({ to, subject, text, id }) {
      try {
        await transport.sendMail({ from, to: { name: '', address: to }, subject, text, messageId: `<${id}>`, headers: { 'auto-submitted': 'auto-generated' } })
      } catch (error) {
        const { message, responseCode = 0 } = error as Error & { responseCode?: number }
        throw new CertloopError('MAIL_NOT_SENT', `The mail server ${host} did not take the e-mail to ${to}: ${message}`, { to, refused: responseCode >= 500 ? 'yes' : 'no' }, error)
      }
    },
  }
}
