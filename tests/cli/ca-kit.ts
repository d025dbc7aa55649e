import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../../packages/test-kit/src/index.ts'
import { startLoop, type Loop, type PlaneOptions } from './kit.ts'

const runFile = promisify(execFile)

export interface CaScene extends Loop {
  /** Absolute path of a file in the folder that the command line runs in. */
  at(name: string): string
  /** Runs openssl in that folder; what it said on both streams. @throws when it fails */
  openssl(...args: string[]): Promise<string>
}

/** A control plane whose certificates name addresses of this machine, and a folder to work in. */
export async function caScene(t: TestContext, { more = [], ...options }: PlaneOptions = {}): Promise<CaScene> {
  const port = await freePort()
  const loop = await startLoop(t, { bot: false, port, more: ['--pki-url', `http://127.0.0.1:${port}`, ...more], ...options })
  const { home } = loop.cli
  return {
    ...loop,
    at: (name) => join(home, name),
    openssl: async (...args) => {
      const { stdout, stderr } = await runFile('openssl', args, { cwd: home })
      return stdout + stderr
    },
  }
}

/** Key and request for a server, as people make them. */
export const serverCsr = ({ openssl }: CaScene, name: string, ...names: string[]): Promise<string> =>
  openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${[name, ...names].map((one) => `DNS:${one}`).join(',')}`)

/** A self-signed CA: `<file>.key` and `<file>.pem`. */
export const outsideRoot = ({ openssl }: CaScene, file: string, subject: string): Promise<string> =>
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${file}.key`, '-out', `${file}.pem`, '-days', '3000', '-subj', subject, '-addext', 'keyUsage=critical,keyCertSign,cRLSign')

/** Signs a CSR as that CA would. */
export async function signCa({ openssl }: CaScene, root: string, csr: string, out: string): Promise<void> {
  await openssl('x509', '-req', '-in', csr, '-CA', `${root}.pem`, '-CAkey', `${root}.key`, '-CAcreateserial', '-days', '1000', '-sha256', '-copy_extensions', 'copyall', '-out', out)
}
