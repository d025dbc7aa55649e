import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { fuzzParser } from '../fuzz-testing.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { testHierarchy, testLeaf } from './pkcs12-testing.ts'
import { defaultReadLimits } from './keystore.ts'
import { readPkcs7, writePkcs7, writePkcs7Pem } from './pkcs7.ts'

const { root, intermediate } = await testHierarchy()
const leaf = await testLeaf('ec-256', intermediate)
const chain = [leaf.certificate, intermediate.certificate, root.certificate]
const pem = (certificates: readonly Buffer[]): string => certificates.map((der) => toPem('CERTIFICATE', der)).join('')
const hex = (list: readonly Uint8Array[]): string[] => list.map((der) => Buffer.from(der).toString('hex'))
const sameChain = (found: readonly Buffer[], expected: readonly Buffer[] = chain): void => assert.deepEqual(hex(found), hex(expected))

/** Files of openssl: certificates alone, with a revocation list, and streamed (BER) with a signature. */
function opensslFiles(folder: string): { certs: Buffer; streamed: Buffer; crl: Buffer; withCrl: Buffer } {
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('chain.pem'), pem(chain))
  writeFileSync(at('others.pem'), pem(chain.slice(1)))
  writeFileSync(at('leaf.pem'), pem([leaf.certificate]))
  writeFileSync(at('key.pem'), leaf.key.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(at('root.pem'), pem([root.certificate]))
  writeFileSync(at('root-key.pem'), root.key.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(at('index'), '')
  writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index')}\ndefault_md=sha256\ndefault_crl_days=3\n`)
  openssl(['ca', '-gencrl', '-config', at('ca.cnf'), '-cert', at('root.pem'), '-keyfile', at('root-key.pem'), '-out', at('crl.pem')])
  openssl(['crl', '-in', at('crl.pem'), '-outform', 'DER', '-out', at('crl.der')])
  openssl(['crl2pkcs7', '-nocrl', '-certfile', at('chain.pem'), '-outform', 'DER', '-out', at('certs.p7b')])
  openssl(['crl2pkcs7', '-in', at('crl.pem'), '-certfile', at('chain.pem'), '-outform', 'DER', '-out', at('crl.p7b')])
  openssl(['cms', '-sign', '-binary', '-stream', '-nodetach', '-in', at('leaf.pem'), '-signer', at('leaf.pem'), '-inkey', at('key.pem'), '-certfile', at('others.pem'), '-outform', 'DER', '-out', at('streamed.p7')])
  return { certs: readFileSync(at('certs.p7b')), withCrl: readFileSync(at('crl.p7b')), streamed: readFileSync(at('streamed.p7')), crl: readFileSync(at('crl.der')) }
}

test('what openssl wrote is read: certificates, revocation lists, BER, every label, base64 alone', (t) => {
  const { certs, withCrl, streamed, crl } = opensslFiles(temporaryFolder(t))
  sameChain(readPkcs7(certs).certificates)
  sameChain(readPkcs7(withCrl).certificates)
  assert.deepEqual(hex(readPkcs7(withCrl).crls), hex([crl]))
  assert.equal(streamed[1], 0x80, 'it is BER')
  assert.deepEqual(hex(readPkcs7(streamed).certificates).toSorted(), hex(chain).toSorted())
  for (const label of ['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA', 'CERTIFICATE']) {
    sameChain(readPkcs7(toPem(label, certs)).certificates)
    sameChain(readPkcs7(Buffer.from(toPem(label, certs))).certificates)
  }
  sameChain(readPkcs7(certs.toString('base64').replace(/(.{64})/g, '$1\r\n')).certificates)
  sameChain(readPkcs7(toPem('PKCS7', certs) + toPem('PKCS7', certs)).certificates, [...chain, ...chain])
})

test('what is written here is read by openssl, in the order given and byte for byte as it writes it', (t) => {
  const folder = temporaryFolder(t)
  const { certs, crl } = opensslFiles(folder)
  const subjects = [...openssl(['pkcs7', '-print_certs', '-noout'], writePkcs7Pem({ certificates: chain })).matchAll(/subject=CN = (.*)/g)].map(([, name]) => name)
  assert.deepEqual(subjects, ['leaf ec-256', 'Test Intermediate', 'Test Root'])
  const again = openssl(['pkcs7', '-outform', 'PEM'], toPem('PKCS7', certs))
  assert.equal(openssl(['pkcs7', '-outform', 'PEM'], writePkcs7Pem({ certificates: chain })), again)
  sameChain(readPkcs7(writePkcs7({ certificates: chain })).certificates)
  assert.match(openssl(['pkcs7', '-print_certs'], writePkcs7Pem({ certificates: [], crls: [crl] })), /BEGIN X509 CRL/)
  assert.deepEqual(readPkcs7(writePkcs7({ certificates: [] })), { certificates: [], crls: [] })
})

test('GnuTLS and Java read what is written here, and what GnuTLS writes is read', { skip: leftOut('certtool') || leftOut('keytool') }, (t) => {
  const file = join(temporaryFolder(t), 'chain.p7b')
  writeFileSync(file, writePkcs7({ certificates: chain }))
  const run = (program: string, args: readonly string[]): string => execFileSync(program, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  assert.match(run('certtool', ['--p7-info', '--inder', '--infile', file]), /Number of certificates: 3/)
  assert.equal(run('keytool', ['-J-Duser.language=en', '-printcert', '-file', file]).match(/Owner: CN=/g)?.length, 3)
  writeFileSync(`${file}.pem`, pem(chain))
  writeFileSync(`${file}.key`, leaf.key.export({ type: 'pkcs8', format: 'pem' }))
  run('certtool', ['--p7-generate', '--load-certificate', `${file}.pem`, '--load-privkey', `${file}.key`, '--infile', file, '--outfile', `${file}.out`])
  assert.ok(hex(readPkcs7(readFileSync(`${file}.out`)).certificates).includes(leaf.certificate.toString('hex')))
})

test('what is no PKCS#7 with certificates is refused in plain words', () => {
  const refused = (input: string | Uint8Array, code: string, message: RegExp): void => assert.throws(() => readPkcs7(input), { code, message })
  refused(leaf.certificate, 'KEYSTORE_INVALID', /can not be read/)
  refused(pem(chain), 'KEYSTORE_INVALID', /no block "PKCS7"/)
  refused('hello', 'KEYSTORE_INVALID', /neither PEM nor DER/)
  refused(Buffer.alloc(0), 'KEYSTORE_INVALID', /neither/)
  refused('-----BEGIN PKCS7-----\n', 'PEM_INVALID', /no end/)
  refused(writePkcs7({ certificates: chain }).subarray(0, 500), 'KEYSTORE_INVALID', /ends too early/)
  refused(Buffer.from('300b06092a864886f70d010703', 'hex'), 'KEYSTORE_INVALID', /1\.2\.840\.113549\.1\.7\.3 instead of certificates/)
  refused(Buffer.alloc(20_000_001, 0x30), 'LIMIT_EXCEEDED', /20000001 bytes; at most 20000000/)
  assert.throws(() => readPkcs7(writePkcs7({ certificates: chain }), { ...defaultReadLimits, maxEntries: 2 }), { code: 'LIMIT_EXCEEDED', message: /more than 2/ })
  refused(Buffer.alloc(10_000_000, Buffer.of(0x30, 0x80)), 'LIMIT_EXCEEDED', /nests deeper than 200/)
})

test('noise and mutated files', { timeout: 60_000 }, async (t) => {
  const { certs, withCrl, streamed } = opensslFiles(temporaryFolder(t))
  await fuzzParser({ corpus: [certs, withCrl, streamed, Buffer.from(toPem('PKCS7', certs))], parse: (input) => readPkcs7(input), codes: ['KEYSTORE_INVALID', 'PEM_INVALID', 'LIMIT_EXCEEDED'] })
})
