import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import { openUploaded } from './issuer-upload.ts'

const code = (expected: string) => (error: unknown) => error instanceof CertloopError && error.code === expected

function upload(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'certloop-upload-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { at: (name: string) => join(folder, name), keystore: (name: string) => readFileSync(join(folder, name)).toString('base64') }
}

test('a Java keystore whose key stays closed is not taken for certificates alone', { skip: leftOut('keytool') }, async (t) => {
  const { at, keystore } = upload(t)
  execFileSync('keytool', ['-genkeypair', '-alias', 'ca', '-keyalg', 'EC', '-dname', 'CN=Old CA', '-ext', 'bc:c=ca:true', '-keystore', at('ca.jks'), '-storetype', 'JKS', '-storepass', 'store word', '-keypass', 'key word'], { stdio: 'pipe' })
  await assert.rejects(openUploaded({ name: 'x', keystore: keystore('ca.jks') }), code('PASSWORD_NEEDED'))
  await assert.rejects(openUploaded({ name: 'x', keystore: keystore('ca.jks'), password: 'store word' }), code('PASSWORD_WRONG'))
  await assert.rejects(openUploaded({ name: 'x', keystore: keystore('ca.jks'), password: 'store word', alias: 'another' }), code('ENTRY_NOT_FOUND'))
})

test('a PEM file with an encrypted key beside its certificate asks for the password', { skip: leftOut('openssl') }, async (t) => {
  const { at, keystore } = upload(t)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-passout', 'pass:key word', '-keyout', at('ca.pem'), '-subj', '/CN=Old CA', '-days', '30', '-out', at('certificate.pem')], { stdio: 'pipe' })
  const both = Buffer.from(`${readFileSync(at('certificate.pem'), 'utf8')}${readFileSync(at('ca.pem'), 'utf8')}`).toString('base64')
  await assert.rejects(openUploaded({ name: 'x', keystore: both }), code('PASSWORD_NEEDED'))
  await assert.rejects(openUploaded({ name: 'x', keystore: both, password: 'another' }), code('PASSWORD_WRONG'))
  assert.match((await openUploaded({ name: 'x', keystore: both, password: 'key word' })).keyPem ?? '', /BEGIN PRIVATE KEY/)
  assert.equal((await openUploaded({ name: 'x', keystore: keystore('certificate.pem') })).keyPem, null, 'a certificate alone is one to be trusted')
})
