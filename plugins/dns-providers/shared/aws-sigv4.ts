import { createHash, createHmac } from 'node:crypto'

export interface AwsCredentials { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
export interface AwsRequest { method: string; url: string; headers?: Readonly<Record<string, string>>; body?: string }
export interface AwsScope { region: string; service: string; credentials: AwsCredentials; now: Date }

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
/** As RFC 3986 has it: more is encoded than by encodeURIComponent. */
const encoded = (text: string) => encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)

/** A query as it has to be sent to be signed: blanks are %20, and never +. */
export const awsQuery = (values: Readonly<Record<string, string>>): string => Object.entries(values).map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&')

function canonicalQuery(url: URL): string {
  const pairs = [...url.searchParams].map(([name, value]) => [encoded(name), encoded(value)] as const)
  const sorted = pairs.toSorted(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
  return sorted.map(([name, value]) => `${name}=${value}`).join('&')
}

/**
 * Signs a request by AWS Signature Version 4. Paths are encoded once more, as all services but S3 want it.
 * @returns the headers to send with it: x-amz-date, authorization, and of temporary credentials x-amz-security-token
 */
export function awsHeaders({ method, url: text, headers = {}, body = '' }: AwsRequest, { region, service, credentials, now }: AwsScope): Record<string, string> {
  const url = new URL(text)
  const date = now.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`
  const own = { 'x-amz-date': date, ...(credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }) }
  const signed = Object.entries({ ...headers, ...own, host: url.host }).map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/ +/g, ' ')] as const).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const path = url.pathname.split('/').map(encoded).join('/')
  const canonical = [method, path, canonicalQuery(url), ...signed.map(([name, value]) => `${name}:${value}`), '', names, sha256(body)].join('\n')
  const key = [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${credentials.secretAccessKey}`, date.slice(0, 8)))
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString('hex')
  return { ...own, authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}` }
}
