// OCSP requests as whole HTTP/1.1 messages.
const head = (line: string, more = '') => `${line} HTTP/1.1\r\nHost: pki.example.com\r\n${more}\r\n`

/** @param der the OCSP request */
export const asGet = (path: string, der: Buffer): Buffer => Buffer.from(head(`GET ${path}/${encodeURIComponent(der.toString('base64'))}`))
export const asPost = (path: string, der: Buffer): Buffer => Buffer.concat([Buffer.from(head(`POST ${path}`, `Content-Type: application/ocsp-request\r\nContent-Length: ${der.length}\r\n`)), der])
