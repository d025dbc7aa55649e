import { createHash, createHmac } from 'node:crypto'

export interface EdgeGridCredentials { clientToken: string; clientSecret: string; accessToken: string }
export interface EdgeGridRequest { method: string; url: string; body?: string }

const hmac = (key: string, text: string) => createHmac('sha256', key).update(text).digest('base64')
/** Bodies of POST alone are signed, and of these the first 128 KiB. */
const signedBody = ({ method, body = '' }: EdgeGridRequest): string => (method === 'POST' && body !== '' ? createHash('sha256').update(Buffer.from(body).subarray(0, 131_072)).digest('base64') : '')

/** The Authorization header of Akamai's scheme EG1-HMAC-SHA256; no further headers are signed. @param nonce another one for each request */
export function edgeGridHeader(request: EdgeGridRequest, { clientToken, clientSecret, accessToken }: EdgeGridCredentials, { now, nonce }: { now: Date; nonce: string }): string {
  const timestamp = `${now.toISOString().slice(0, 19).replaceAll('-', '')}+0000`
  const unsigned = `EG1-HMAC-SHA256 client_token=${clientToken};access_token=${accessToken};timestamp=${timestamp};nonce=${nonce};`
  const { protocol, host, pathname, search } = new URL(request.url)
  const text = [request.method, protocol.replace(':', ''), host, pathname + search, '', signedBody(request), unsigned].join('\t')
  return `${unsigned}signature=${hmac(hmac(clientSecret, timestamp), text)}`
}
