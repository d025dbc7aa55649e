import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { readCertificate } from '@certloop/pki'
import { leftOut, requireTool } from '@certloop/test-kit'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import type { Issuer } from './issuer.ts'
import type { NewIssuer } from './issuer-making.ts'
import { openUploaded } from './issuer-upload.ts'
import type { LocalCa } from './local-ca.ts'
import { opensslFolder, outsideCa } from './openssl-ca-testing.ts'

// openssl signs with the time of this machine, so the CA here lives in it too.
const present = async (t: TestContext) => caWorld(t, await emptyDatabase(t), { now: () => new Date() })
const waiting = (name: string, more: Partial<NewIssuer> = {}): NewIssuer => ({ name, commonName: name, subject: [{ type: 'O', value: 'Trial' }], keyAlgorithm: 'ec-256', signedBy: null, validityDays: 1, settings: { pathLength: 0 }, ...more })
const issueUnder = async (ca: LocalCa, issuerId: `iss_${string}`, names = ['shop.example']) => ca.issue(await serverRequest(`under ${issuerId} ${names.join()}`, { issuerId, names, validityDays: 30 }))
/** The request of an issuer that waits. */
const requestOf = ({ csrPem }: Issuer): string => csrPem ?? ''
const caExtensions = (more = '') => `basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n${more}`

test('a CSR signed by an outside CA: its certificate is installed, and what is issued verifies up to the outside root', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const made = await ca.issuerService.create(waiting('Signed outside'))
  assert.deepEqual([made.status, made.certificate], ['pending', null])
  assert.match(outside.run('req', '-verify', '-noout', '-text', '-in', outside.file(requestOf(made))), /Subject: O = Trial, CN = Signed outside[\s\S]*CA:TRUE/)
  await assert.rejects(issueUnder(ca, made.id), { code: 'ISSUER_NOT_READY' })
  const installed = await ca.issuerService.installCertificate(made.id, `${outside.sign(requestOf(made))}${outside.rootPem}`)
  assert.equal(installed.status, 'active')
  const issued = await issueUnder(ca, made.id)
  assert.equal(issued.rootPem.trim(), outside.rootPem.trim())
  assert.equal(issued.chainPem.length, 2)
  outside.verifyIssued(issued, { more: ['-purpose', 'sslserver'] })
  // The same one again changes nothing; a renewed one is kept beside it.
  assert.equal((await ca.issuerService.installCertificate(made.id, `${installed.certificates[0]?.certificatePem}${outside.rootPem}`)).certificates.length, 1)
  const renewed = await ca.issuerService.installCertificate(made.id, `${outside.rootPem}${outside.sign(requestOf(made), { days: '2000' })}`)
  assert.equal(renewed.certificates.length, 2)
  assert.equal(renewed.certificate?.id, installed.certificate?.id)
  const preferred = await ca.issuerService.prefer(made.id, renewed.certificates.find(({ id }) => id !== installed.certificate?.id)?.id ?? 'icc_x')
  assert.ok(Number(preferred.certificate?.notAfter) > Number(installed.certificate?.notAfter))
  const again = await issueUnder(ca, made.id, ['again.example'])
  outside.verifyIssued(again)
  await assert.rejects(ca.issuerService.prefer(made.id, 'icc_00000000000000000000000000'), { code: 'NOT_FOUND' })
})

test('with a chain of two above, in any order', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const middle = outside.request('/CN=Outside middle')
  const middlePem = outside.sign(middle.csrPem, { extensions: caExtensions().replace('pathlen:0', 'pathlen:1') })
  const made = await ca.issuerService.create(waiting('Two above'))
  const ownPem = outside.run('x509', '-req', '-in', outside.file(requestOf(made)), '-CA', outside.file(middlePem), '-CAkey', outside.file(middle.keyPem), '-CAcreateserial', '-days', '100', '-extfile', outside.file(caExtensions()))
  await assert.rejects(ca.issuerService.installCertificate(made.id, `${ownPem}${middlePem}`), { code: 'CHAIN_INVALID' })
  await assert.rejects(ca.issuerService.installCertificate(made.id, `${ownPem}${outside.rootPem}`), { code: 'CHAIN_INVALID' })
  await ca.issuerService.installCertificate(made.id, `${outside.rootPem}${ownPem}${middlePem}`)
  const issued = await issueUnder(ca, made.id)
  assert.equal(issued.chainPem.length, 3)
  outside.verifyIssued(issued)
})

test('what an outside CA allows less than was asked for binds: path length and name constraints', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const made = await ca.issuerService.create(waiting('Bound outside', { settings: { pathLength: null } }))
  const installed = await ca.issuerService.installCertificate(made.id, `${outside.sign(requestOf(made), { extensions: caExtensions('nameConstraints=critical,permitted;DNS:corp.example\n') })}${outside.rootPem}`)
  assert.equal(installed.settings.pathLength, 0)
  assert.deepEqual(installed.settings.nameConstraints, { permitted: [{ type: 'dns', value: 'corp.example' }], excluded: [] })
  const issued = await issueUnder(ca, made.id, ['a.corp.example'])
  outside.verifyIssued(issued)
  await assert.rejects(issueUnder(ca, made.id, ['shop.example']), { code: 'NAME_INVALID' })
  await assert.rejects(ca.issuerService.create(waiting('Below it', { signedBy: made.id })), { code: 'PROFILE_VIOLATION' })
})

test('a wrong certificate is refused, each with what is wrong, and the issuer goes on waiting', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const made = await ca.issuerService.create(waiting('Careful'))
  const [id, csr] = [made.id, requestOf(made)]
  const withRoot = (pem: string) => `${pem}${outside.rootPem}`
  const stranger = outsideCa(t, { name: 'Another' })
  const cases: [string, string, string, RegExp][] = [
    ['another key', withRoot(outside.sign(outside.request('/O=Trial/CN=Careful').csrPem)), 'ISSUER_MISMATCH', /public key/],
    ['another subject', withRoot(outside.sign(csr, { more: ['-subj', '/CN=Renamed'] })), 'ISSUER_MISMATCH', /subject/],
    ['no CA', withRoot(outside.sign(csr, { extensions: 'basicConstraints=CA:false\n' })), 'ISSUER_MISMATCH', /not a CA/],
    ['may not sign', withRoot(outside.sign(csr, { extensions: 'basicConstraints=critical,CA:true\nkeyUsage=critical,digitalSignature\n' })), 'ISSUER_MISMATCH', /sign/],
    ['expired', withRoot(outside.signBetween(csr, '20200101000000Z', '20210101000000Z')), 'ISSUER_MISMATCH', /ended/],
    ['without the root', outside.sign(csr), 'CHAIN_INVALID', /missing/],
    ['another root', `${outside.sign(csr)}${stranger.rootPem}`, 'CHAIN_INVALID', /missing/],
    ['no certificate', csr, 'CERTIFICATE_INVALID', /./],
    ['nonsense', 'nonsense', 'CERTIFICATE_INVALID', /./],
  ]
  for (const [what, pem, code, message] of cases) {
    await assert.rejects(ca.issuerService.installCertificate(id, pem), (error: { code?: string; message?: string }) => error.code === code && message.test(error.message ?? ''), what)
  }
  assert.deepEqual((await ca.issuers()).filter((issuer) => issuer.id === id).map(({ status, certificates }) => [status, certificates.length]), [['pending', 0]])
  await ca.issuerService.installCertificate(id, withRoot(outside.sign(csr)))
})

test('a certificate whose subject only a tool wrote otherwise (openssl: UTF8String, PrintableString) is taken, and its chain verifies', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const made = await ca.issuerService.create(waiting('Printable'))
  outside.file('', 'index2.txt')
  const config = `[ca]\ndefault_ca=it\n[it]\ndatabase=${outside.at('index2.txt')}\nnew_certs_dir=${outside.folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\nx509_extensions=ext\ndefault_days=100\n[any]\norganizationName=optional\ncommonName=supplied\n[ext]\n${caExtensions()}`
  const pem = outside.run('ca', '-batch', '-notext', '-config', outside.file(config), '-cert', outside.at('ca.pem'), '-keyfile', outside.at('ca.key'), '-in', outside.file(requestOf(made)))
  await ca.issuerService.installCertificate(made.id, `${pem}${outside.rootPem}`)
  const issued = await issueUnder(ca, made.id)
  outside.verifyIssued(issued)
})

const password = 'a key pass'
const files = (t: TestContext) => {
  const outside = outsideCa(t, { name: 'To be imported', keyType: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'] })
  const encrypted = outside.run('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-in', outside.at('ca.key'), '-passout', `pass:${password}`)
  outside.run('pkcs12', '-export', '-in', outside.at('ca.pem'), '-inkey', outside.at('ca.key'), '-name', 'ca', '-passout', `pass:${password}`, '-out', outside.at('ca.p12'))
  outside.run('pkcs12', '-export', '-nokeys', '-in', outside.at('ca.pem'), '-passout', `pass:${password}`, '-out', outside.at('nokey.p12'))
  const base64 = (name: string) => readFileSync(outside.at(name)).toString('base64')
  const keytool = (...args: string[]) => execFileSync(requireTool('keytool'), args, { stdio: 'pipe' })
  return { outside, encrypted, base64, keytool }
}

test('a CA is taken over from PEM, encrypted PKCS#8 and PKCS#12 of openssl; it signs as before', async (t) => {
  const { outside, encrypted, base64 } = files(t)
  const uploads = { 'PEM': { certificatesPem: outside.rootPem, keyPem: outside.keyPem }, 'PKCS#8': { certificatesPem: outside.rootPem, keyPem: encrypted, password }, 'PKCS#12': { keystore: base64('ca.p12'), password } }
  for (const [name, upload] of Object.entries(uploads)) {
    const { ca } = await present(t)
    const issuer = await ca.issuerService.import({ name, ...await openUploaded({ name, ...upload }) })
    assert.deepEqual([issuer.kind, issuer.status, issuer.keySource, issuer.keyAlgorithm, issuer.name], ['root', 'active', 'sealed', 'ec-384', name])
    const issued = await issueUnder(ca, issuer.id)
    outside.verifyIssued(issued)
    const below = await ca.issuerService.create(waiting('Below it', { signedBy: issuer.id, validityDays: 100 }))
    const deeper = await issueUnder(ca, below.id)
    outside.verifyIssued(deeper)
    // Once is enough, under any name.
    for (const again of [name, 'Another name']) await assert.rejects(ca.issuerService.import({ name: again, ...await openUploaded({ name: again, ...upload }) }), { code: 'CONFLICT' })
    assert.equal((await ca.issuers()).length, 4)
  }
})

test('a CA is taken over from a JKS of keytool; of several keys one has to be named', { skip: leftOut('keytool'), timeout: 120_000 }, async (t) => {
  const { outside, base64, keytool } = files(t)
  const jks = outside.at('ca.jks')
  keytool('-importkeystore', '-srckeystore', outside.at('ca.p12'), '-srcstoretype', 'PKCS12', '-srcstorepass', password, '-destkeystore', jks, '-deststoretype', 'JKS', '-deststorepass', password, '-noprompt')
  const { ca } = await present(t)
  const issuer = await ca.issuerService.import({ name: 'JKS', ...await openUploaded({ name: 'JKS', keystore: base64('ca.jks'), password }) })
  const issued = await issueUnder(ca, issuer.id)
  outside.verifyIssued(issued)
  keytool('-genkeypair', '-alias', 'second', '-keyalg', 'EC', '-groupname', 'secp256r1', '-dname', 'CN=second', '-ext', 'bc:c=ca:true', '-keystore', jks, '-storetype', 'JKS', '-storepass', password, '-keypass', password)
  await assert.rejects(openUploaded({ name: 'x', keystore: base64('ca.jks'), password }), { code: 'INPUT_INVALID', message: /"ca".*"second"|"second".*"ca"/ })
  await assert.rejects(openUploaded({ name: 'x', keystore: base64('ca.jks'), password, alias: 'third' }), { code: 'ENTRY_NOT_FOUND' })
  const second = await ca.issuerService.import({ name: 'Second', ...await openUploaded({ name: 'x', keystore: base64('ca.jks'), password, alias: 'second' }) })
  assert.equal(second.subject, 'CN=second')
})

test('wrong passwords, keys of something else, no key, no CA', async (t) => {
  const { outside, encrypted, base64 } = files(t)
  const { ca } = await present(t)
  await assert.rejects(openUploaded({ name: 'x', keystore: base64('ca.p12'), password: 'wrong' }), { code: 'PASSWORD_WRONG' })
  await assert.rejects(openUploaded({ name: 'x', keystore: base64('ca.p12') }), { code: 'PASSWORD_NEEDED' })
  await assert.rejects(openUploaded({ name: 'x', certificatesPem: outside.rootPem, keyPem: encrypted, password: 'wrong' }), { code: 'PASSWORD_WRONG' })
  await assert.rejects(openUploaded({ name: 'x', certificatesPem: outside.rootPem, keyPem: encrypted }), { code: 'PASSWORD_NEEDED' })
  await assert.rejects(openUploaded({ name: 'x', certificatesPem: outside.rootPem, keystore: 'AAAA' }), { code: 'INPUT_INVALID' })
  await assert.rejects(openUploaded({ name: 'x' }), { code: 'INPUT_INVALID' })
  const other = outside.request('/CN=other')
  const leafPem = outside.sign(other.csrPem, { extensions: 'basicConstraints=CA:false\n' })
  await assert.rejects(ca.issuerService.import({ name: 'x', certificatesPem: outside.rootPem, keyPem: other.keyPem }), { code: 'KEY_MISMATCH' })
  await assert.rejects(ca.issuerService.import({ name: 'x', certificatesPem: `${leafPem}${outside.rootPem}`, keyPem: other.keyPem }), { code: 'ISSUER_MISMATCH' })
  await assert.rejects(ca.issuerService.import({ name: 'x', certificatesPem: 'nothing', keyPem: other.keyPem }), { code: 'CERTIFICATE_INVALID' })
  const subPem = outside.sign(other.csrPem)
  await assert.rejects(ca.issuerService.import({ name: 'x', certificatesPem: subPem, keyPem: other.keyPem }), { code: 'CHAIN_INVALID' })
  assert.equal((await ca.issuers()).length, 2, 'nothing stays of what was refused')
  // Without its key it is only to be trusted and shown.
  const shown = await ca.issuerService.import({ name: 'No key', ...await openUploaded({ name: 'x', keystore: base64('nokey.p12'), password }) })
  assert.deepEqual([shown.keySource, shown.status], ['outside', 'active'])
  await assert.rejects(issueUnder(ca, shown.id), { code: 'ISSUER_NOT_READY' })
  await assert.rejects(ca.crls.publish(shown.id), { code: 'ISSUER_NOT_READY' })
  assert.equal(await ca.crls.ensurePublished(), undefined)
})

test('an imported CA that was limited stays so', async (t) => {
  const { ca } = await present(t)
  const outside = outsideCa(t)
  const sub = outside.request('/CN=Limited')
  const subPem = outside.sign(sub.csrPem, { extensions: caExtensions('nameConstraints=critical,permitted;DNS:corp.example,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:.bad.example\n') })
  const issuer = await ca.issuerService.import({ name: 'Limited', certificatesPem: `${subPem}${outside.rootPem}`, keyPem: sub.keyPem })
  assert.deepEqual(issuer.settings.nameConstraints, { permitted: [{ type: 'dns', value: 'corp.example' }, { type: 'ip', value: '10.0.0.0/8' }], excluded: [{ type: 'email', value: '.bad.example' }] })
  assert.equal(issuer.kind, 'intermediate')
  const issued = await issueUnder(ca, issuer.id, ['www.corp.example', '10.9.8.7'])
  opensslFolder(t).verifyIssued(issued)
  for (const names of [['shop.example'], ['192.0.2.1']]) await assert.rejects(issueUnder(ca, issuer.id, names), { code: 'NAME_INVALID' })
  await assert.rejects(ca.issuerService.create(waiting('Too deep', { signedBy: issuer.id, validityDays: 10 })), { code: 'PROFILE_VIOLATION' })
  assert.equal(readCertificate(issued.rootPem).subject, 'CN=Outside Root,O=Outside')
})
