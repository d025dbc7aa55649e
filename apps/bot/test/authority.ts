import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireTool } from '@certloop/test-kit'

const run = promisify(execFile)

export interface Pair { cert: string; key: string }

const block = (text: string, label: string) => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(text)?.[0] ?? ''

/** A certificate made with OpenSSL in `folder`, by itself or by `issuer`. */
export async function certificate(folder: string, name: string, { issuer, names }: { issuer?: Pair; names?: readonly string[] } = {}): Promise<Pair> {
  const extension = names ? `subjectAltName=${names.map((n) => `${isIP(n) === 0 ? 'DNS' : 'IP'}:${n}`).join(',')}` : 'keyUsage=keyCertSign'
  const by: string[] = []
  if (issuer) {
    const [cert, key] = [join(folder, `${name}-issuer.crt`), join(folder, `${name}-issuer.key`)]
    await writeFile(cert, issuer.cert)
    await writeFile(key, issuer.key)
    by.push('-CA', cert, '-CAkey', key)
  }
  const { stdout } = await run(requireTool('openssl'), [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${name}`, ...by,
    '-addext', `basicConstraints=critical,CA:${names ? 'FALSE' : 'TRUE'}`, '-addext', extension, '-keyout', '-', '-out', '-',
  ])
  return { cert: block(stdout, 'CERTIFICATE'), key: block(stdout, 'PRIVATE KEY') }
}
