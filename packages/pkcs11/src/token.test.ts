import assert from 'node:assert/strict'
import { createPublicKey, randomBytes, verify, constants } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, describe, test, type TestContext } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { basicConstraints, buildCertificate, buildCsr, generateKey, keyIdOfSpki, keyUsage, nameOfCommonName, readCsr, readPrivateKey, spkiOfKey, subjectAltName, subjectKeyIdentifier, toPem, authorityKeyIdentifier } from '@certloop/pki'
import { createSoftHsm, leftOut, requireTool, runProcess, tempFolder } from '@certloop/test-kit'
import { openToken, type Token } from './index.ts'

const pin = '4711-token'
const algorithms: KeyAlgorithm[] = ['ec-256', 'ec-384', 'ec-521', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096']
const skip = leftOut('libsofthsm2.so') || leftOut('softhsm2-util')
const hasCode = (code: string, message?: RegExp) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error))
  if (message) assert.match((error as Error).message, message)
  assert.ok(!String((error as Error).message).includes(pin), 'the PIN is in the message')
  return true
}


// oxlint-disable-next-line max-lines-per-function -- one token, slow to make, serves all these tests
describe('a SoftHSM2 token', { skip }, async () => {
  if (skip) return
  const hsm = await createSoftHsm({ after } as unknown as Pick<TestContext, 'after'>, { label: 'first', pin })
  await hsm.addToken('second', '8888')
  process.env['SOFTHSM2_CONF'] = hsm.configPath
  const token = await openToken({ modulePath: hsm.modulePath, tokenLabel: 'first', pin })
  after(() => token.close())

  async function isVerifiedByOpenssl(t: TestContext, csrPem: string, caPem: string, leafPem: string): Promise<void> {
    const folder = await tempFolder(t, 'pkcs11')
    const file = (name: string) => join(folder, name)
    await Promise.all([['request.pem', csrPem], ['ca.pem', caPem], ['leaf.pem', leafPem]].map(([name = '', text = '']) => writeFile(file(name), text)))
    const request = await runProcess(t, [requireTool('openssl'), 'req', '-in', file('request.pem'), '-noout', '-verify', '-subject'])
    assert.equal(request.code, 0, request.stderr)
    assert.match(request.stdout + request.stderr, /token key[^]*verify OK/)
    const chain = await runProcess(t, [requireTool('openssl'), 'verify', '-x509_strict', '-check_ss_sig', '-attime', '1793000000', '-CAfile', file('ca.pem'), file('leaf.pem')])
    assert.equal(chain.code, 0, chain.stdout + chain.stderr)
  }

  async function signWith(t: TestContext, { spki, signer }: { spki: Buffer; signer: Awaited<ReturnType<Token['findKey']>>['signer'] }, options: Parameters<typeof signer>[0] = {}): Promise<void> {
    const made = signer(options)
    const csr = await buildCsr({ commonName: 'token key', names: ['token.test'] }, { signer: made, spki })
    assert.equal(readCsr(csr).commonName, 'token key')
    const times = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-12-31T23:59:59Z') }
    const name = nameOfCommonName('Token CA')
    const keyId = keyIdOfSpki(spki)
    const ca = await buildCertificate({ serialNumber: '01', issuer: name, subject: name, spki, ...times, extensions: [basicConstraints(true), keyUsage(['keyCertSign', 'cRLSign']), subjectKeyIdentifier(keyId)] }, made)
    const leafKey = spkiOfKey(readPrivateKey(await generateKey('ec-256')))
    const leaf = await buildCertificate({ serialNumber: '02', issuer: name, subject: nameOfCommonName('leaf'), spki: leafKey, ...times, extensions: [subjectAltName(['leaf.test'], false), subjectKeyIdentifier(keyIdOfSpki(leafKey)), authorityKeyIdentifier(keyId)] }, made)
    await isVerifiedByOpenssl(t, csr, toPem('CERTIFICATE', ca), toPem('CERTIFICATE', leaf))
  }

  for (const algorithm of algorithms) {
    test(`${algorithm}: made in the token, signs requests and certificates that OpenSSL accepts`, { skip: leftOut('openssl') }, async (t) => {
      const key = await token.generateKey({ label: `ca ${algorithm}`, algorithm })
      assert.equal(key.algorithm, algorithm)
      assert.match(key.id, /^[0-9a-f]{32}$/)
      const found = await token.findKey({ label: key.label, id: key.id })
      assert.deepEqual(found.spki, key.spki)
      assert.deepEqual((await token.findKey({ id: key.id })).spki, key.spki)
      await signWith(t, found)
      if (algorithm.startsWith('rsa')) {
        await signWith(t, found, { pss: true })
        await signWith(t, found, { digest: 'sha512' })
      }
      if (algorithm === 'ec-256') await signWith(t, found, { digest: 'sha384' })
    })
  }

  test('tells about itself and its keys', async () => {
    const info = await token.info()
    assert.equal(info.label, 'first')
    assert.equal(info.pin, 'ok')
    assert.match(info.module.name, /SoftHSM/)
    assert.deepEqual(info.algorithms.toSorted(), algorithms.toSorted())
    const key = await token.generateKey({ label: 'listed', id: 'c0ffee', algorithm: 'ec-256' })
    const listed = (await token.listKeys()).find(({ id }) => id === 'c0ffee')
    assert.deepEqual(listed, { label: 'listed', id: 'c0ffee', algorithm: 'ec-256', spki: key.spki, problem: null })
  })

  test('a key that another took the place of, under the same label and id, is not signed with', async () => {
    const name = { label: 'replaced', id: 'ca11' }
    const { signer } = await token.generateKey({ ...name, algorithm: 'ec-256' })
    const old = signer()
    await old.sign(Buffer.from('one'))
    await token.destroyKey(name)
    await token.generateKey({ ...name, algorithm: 'ec-256' })
    await assert.rejects(old.sign(Buffer.from('two')), hasCode('KEY_MISMATCH'))
  })

  test('keys can not be taken out, and pkcs11-tool sees them', { skip: leftOut('pkcs11-tool') }, async () => {
    const { id } = await token.generateKey({ label: 'kept inside', algorithm: 'ec-256' })
    const objects = await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--list-objects', '--type', 'privkey', '--id', id)
    assert.match(objects, /label:\s+kept inside/)
    assert.match(objects, /sensitive/)
    assert.doesNotMatch(objects, /(?<!never )extractable/)
    const open = await hsm.pkcs11Tool('--token-label', 'first', '--list-objects', '--type', 'pubkey', '--id', id)
    assert.match(open, /kept inside/)
  })

  test('uses keys made by pkcs11-tool and imported by softhsm2-util', { skip: leftOut('pkcs11-tool') }, async (t) => {
    const kinds = [['rsa:2048', 'rsa-2048'], ['EC:prime256v1', 'ec-256'], ['EC:secp384r1', 'ec-384'], ['EC:edwards25519', 'ed25519']] as const
    for (const [index, [kind]] of kinds.entries()) {
      await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--keypairgen', '--key-type', kind, '--usage-sign', '--label', `tool ${kind}`, '--id', `a${index}`)
    }
    const folder = await tempFolder(t, 'import')
    const pem = await generateKey('ec-256')
    await writeFile(join(folder, 'key.pem'), pem)
    await hsm.util('--import', join(folder, 'key.pem'), '--token', 'first', '--label', 'imported', '--id', 'beef', '--pin', pin)
    // A module shows what other processes add only to those who look anew.
    for (const [index, [kind, algorithm]] of kinds.entries()) {
      const key = await token.findKey({ label: `tool ${kind}`, id: `a${index}` })
      assert.equal(key.algorithm, algorithm)
      await signWith(t, key)
    }
    const imported = await token.findKey({ label: 'imported' })
    assert.deepEqual(imported.spki, spkiOfKey(readPrivateKey(pem)))
    await signWith(t, imported)
  })

  test('refuses labels that are ambiguous, taken, empty or unknown', { skip: leftOut('pkcs11-tool') }, async () => {
    const twin = ['--token-label', 'first', '--login', '--pin', pin, '--keypairgen', '--key-type', 'EC:prime256v1', '--usage-sign', '--label', 'twin', '--id'] as const
    await hsm.pkcs11Tool(...twin, 'd1')
    await hsm.pkcs11Tool(...twin, 'd2')
    await assert.rejects(token.findKey({ label: 'twin' }), hasCode('PKCS11_KEY_NOT_FOUND', /2 private keys labelled "twin"/))
    assert.equal((await token.findKey({ label: 'twin', id: 'd2' })).id, 'd2')
    await assert.rejects(token.generateKey({ label: 'twin', algorithm: 'ec-256' }), hasCode('ACTION_NOT_POSSIBLE', /labelled "twin" already/))
    await assert.rejects(token.generateKey({ label: 'other', id: 'd1', algorithm: 'ec-256' }), hasCode('ACTION_NOT_POSSIBLE', /id d1 already/))
    await assert.rejects(token.findKey({ label: 'none' }), hasCode('PKCS11_KEY_NOT_FOUND', /no private key labelled "none"/))
    await assert.rejects(token.findKey({}), hasCode('INPUT_INVALID'))
    await assert.rejects(token.findKey({ id: 'XY' }), hasCode('INPUT_INVALID'))
    await assert.rejects(token.generateKey({ label: '', algorithm: 'ec-256' }), hasCode('INPUT_INVALID'))
    await assert.rejects(token.generateKey({ label: 'pq', algorithm: 'ml-dsa-65' }), hasCode('KEY_ALGORITHM_UNSUPPORTED', /ml-dsa-65.*ed25519/))
  })

  test('says so when only the private half is there, and takes it from a certificate beside it', { skip: leftOut('pkcs11-tool') }, async (t) => {
    const key = await token.generateKey({ label: 'half', id: 'ab12', algorithm: 'ec-256' })
    const name = nameOfCommonName('half')
    const certificate = await buildCertificate({ serialNumber: '07', issuer: name, subject: name, spki: key.spki, notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z'), extensions: [] }, key.signer())
    await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--delete-object', '--type', 'pubkey', '--id', 'ab12')
    await assert.rejects(token.findKey({ label: 'half' }), hasCode('PKCS11_KEY_NOT_FOUND', /private key labelled "half".*but no public key/))
    const listed = (await token.listKeys()).find(({ id }) => id === 'ab12')
    assert.ok(listed, JSON.stringify(await token.listKeys()))
    assert.equal(listed?.spki, null)
    assert.match(listed?.problem ?? '', /no public key/)
    const folder = await tempFolder(t, 'half')
    await writeFile(join(folder, 'half.der'), certificate)
    await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--write-object', join(folder, 'half.der'), '--type', 'cert', '--id', 'ab12', '--label', 'half')
    assert.deepEqual((await token.findKey({ label: 'half' })).spki, key.spki)
  })

  test('does not sign with a public key that belongs to another private key', { skip: leftOut('pkcs11-tool') }, async (t) => {
    await token.generateKey({ label: 'mixed', id: 'cd34', algorithm: 'ec-256' })
    await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--delete-object', '--type', 'pubkey', '--id', 'cd34')
    const folder = await tempFolder(t, 'mixed')
    await writeFile(join(folder, 'other.der'), spkiOfKey(readPrivateKey(await generateKey('ec-256'))))
    await hsm.pkcs11Tool('--token-label', 'first', '--login', '--pin', pin, '--write-object', join(folder, 'other.der'), '--type', 'pubkey', '--id', 'cd34', '--label', 'mixed')
    const key = await token.findKey({ label: 'mixed' })
    await assert.rejects(key.signer().sign(Buffer.from('x')), hasCode('KEY_MISMATCH'))
  })

  test('a destroyed key is gone, also for signers that knew it', async () => {
    const key = await token.generateKey({ label: 'short-lived', algorithm: 'ec-256' })
    const signer = key.signer()
    await signer.sign(Buffer.from('x'))
    await token.destroyKey({ label: 'short-lived' })
    await assert.rejects(signer.sign(Buffer.from('x')), hasCode('PKCS11_KEY_NOT_FOUND', /short-lived/))
    await assert.rejects(token.findKey({ label: 'short-lived' }), hasCode('PKCS11_KEY_NOT_FOUND'))
    assert.ok(!(await token.listKeys()).some(({ label }) => label === 'short-lived'))
  })

  test('200 signatures at once with four sessions, each right', async () => {
    const key = await token.generateKey({ label: 'busy', algorithm: 'ec-256' })
    const publicKey = createPublicKey({ key: key.spki, format: 'der', type: 'spki' })
    const signer = key.signer()
    const messages = Array.from({ length: 200 }, () => randomBytes(100))
    const signatures = await Promise.all(messages.map((message) => signer.sign(message)))
    for (const [index, message] of messages.entries()) assert.ok(verify('sha256', message, publicKey, signatures[index] ?? Buffer.alloc(0)), `signature ${index}`)
    assert.equal(new Set(signatures.map((signature) => signature.toString('hex'))).size, 200)
  })

  test('long data are hashed here, and PSS has a salt as long as the digest', async () => {
    const key = await token.generateKey({ label: 'long', algorithm: 'rsa-2048' })
    const data = randomBytes(3_500_000)
    const publicKey = createPublicKey({ key: key.spki, format: 'der', type: 'spki' })
    assert.ok(verify('sha256', data, publicKey, await key.signer().sign(data)))
    assert.ok(verify('sha384', data, { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }, await key.signer({ pss: true, digest: 'sha384' }).sign(data)))
  })

  test('the event loop goes on while the token makes an RSA key of 4096 bits', async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 })
    const begin = performance.now()
    delay.enable()
    await token.generateKey({ label: 'slow', algorithm: 'rsa-4096' })
    delay.disable()
    const took = performance.now() - begin
    assert.ok(delay.max / 1e6 < Math.max(100, took / 2), `the loop stood still for ${delay.max / 1e6} of ${took} ms`)
  })

  test('two tokens of one module, by label and by slot; closing one leaves the other', async () => {
    const second = await openToken({ modulePath: hsm.modulePath, tokenLabel: 'second', pin: '8888' })
    const key = await second.generateKey({ label: 'over there', algorithm: 'ec-256' })
    await assert.rejects(token.findKey({ label: 'over there' }), hasCode('PKCS11_KEY_NOT_FOUND'))
    const bySlot = await openToken({ modulePath: hsm.modulePath, slot: Number((await second.info()).slot), pin: '8888', sessions: 1, readOnly: true })
    assert.deepEqual((await bySlot.findKey({ id: key.id })).spki, key.spki)
    await assert.rejects(bySlot.generateKey({ label: 'more', algorithm: 'ec-256' }), hasCode('PKCS11_UNAVAILABLE', /CKR_SESSION_READ_ONLY|CKR_TOKEN_WRITE_PROTECTED/))
    await Promise.all([second.close(), second.close()])
    await second.close()
    await assert.rejects(second.listKeys(), hasCode('PKCS11_UNAVAILABLE', /closed/))
    assert.ok((await bySlot.findKey({ id: key.id })).signer())
    await bySlot.close()
    assert.ok((await token.listKeys()).length > 0)
  })

  test('close waits for what is under way', async () => {
    const another = await openToken({ modulePath: hsm.modulePath, tokenLabel: 'first', pin, sessions: 2 })
    const looking = Promise.all(Array.from({ length: 6 }, () => another.findKey({ label: 'listed' })))
    const closing = another.close()
    assert.equal((await looking).length, 6)
    await closing
  })
})
