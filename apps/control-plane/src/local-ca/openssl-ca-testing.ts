import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { toPem } from '@certloop/pki'
import type { LocalIssued } from './local-ca.ts'

const runFile = promisify(execFile)

/** What openssl verifies: the root that is trusted, what may help, lists, and the moment. */
export interface Verified { leaf: string; roots: readonly string[]; untrusted?: readonly string[]; crls?: readonly Buffer[]; at?: Date; more?: readonly string[] }

/** A folder for openssl to work in, removed after the test. */
export function opensslFolder(t: Pick<TestContext, 'after'>) {
  const folder = mkdtempSync(join(tmpdir(), 'certloop-ca-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  let count = 0
  const at = (name: string) => join(folder, name)
  const file = (content: string | Buffer, name = `file-${++count}`) => {
    writeFileSync(at(name), content)
    return at(name)
  }
  /** @throws with what openssl said */
  const run = (...args: string[]): string => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 })
  /** Does not hold up servers in this process. */
  const runBeside = async (...args: string[]) => runFile('openssl', args, { cwd: folder, maxBuffer: 64 << 20 })
  function verify({ leaf, roots, untrusted = [], crls = [], at: moment, more = [] }: Verified): string {
    return run(
      'verify', '-x509_strict', ...(moment ? ['-attime', String(Math.floor(moment.getTime() / 1000))] : []), '-CAfile', file(roots.join('\n')), ...(untrusted.length > 0 ? ['-untrusted', file(untrusted.join('\n'))] : []),
      ...(crls.length > 0 ? ['-CRLfile', file(crls.map((der) => toPem('X509 CRL', der)).join(''))] : []), ...more, file(leaf),
    )
  }
  /** An issued chain up to its own root, or to another. */
  const verifyIssued = ({ chainPem: [leaf = '', ...untrusted], rootPem }: LocalIssued, { root = rootPem, ...more }: Partial<Verified> & { root?: string } = {}): string => verify({ leaf, roots: [root], untrusted, ...more })
  return { folder, at, file, run, runBeside, verify, verifyIssued }
}

/** A CA outside: made and run by openssl alone. */
export function outsideCa(t: Pick<TestContext, 'after'>, { name = 'Outside Root', keyType = ['rsa:2048'] }: { name?: string; keyType?: readonly string[] } = {}) {
  const world = opensslFolder(t)
  const { at, file, run, folder } = world
  run('req', '-x509', '-nodes', '-newkey', ...keyType, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', `/O=Outside/CN=${name}`, '-days', '3650', '-addext', 'basicConstraints=critical,CA:true', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
  /** Signs a request with these extensions, as `openssl x509 -req` does. */
  function sign(csrPem: string, { extensions = 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n', days = '1000', more = [] }: { extensions?: string; days?: string; more?: readonly string[] } = {}): string {
    return run('x509', '-req', '-in', file(csrPem), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', days, '-extfile', file(extensions), ...more)
  }
  /** A request with a key of its own. */
  function request(subject: string): { csrPem: string; keyPem: string } {
    const keyFile = file('')
    const csrPem = run('req', '-new', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', keyFile, '-subj', subject)
    return { csrPem, keyPem: run('pkey', '-in', keyFile) }
  }
  /** Signs with dates of its own, as `openssl ca` does; "YYYYMMDDHHMMSSZ". */
  function signBetween(csrPem: string, from: string, to: string): string {
    mkdirSync(join(folder, 'issued'), { recursive: true })
    file('', 'index.txt')
    file(`[ca]\ndefault_ca=it\n[it]\ndatabase=${at('index.txt')}\nnew_certs_dir=${at('issued')}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\nx509_extensions=ext\nunique_subject=no\n[any]\ncommonName=supplied\n[ext]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n`, 'ca.cnf')
    return run('ca', '-batch', '-notext', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-startdate', from, '-enddate', to, '-in', file(csrPem))
  }
  return { ...world, rootPem: run('x509', '-in', at('ca.pem')), keyPem: run('pkey', '-in', at('ca.key')), sign, signBetween, request }
}
