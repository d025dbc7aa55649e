import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { newId } from '../new-id.ts'
import type { TargetSecrets } from '../target.ts'
import { isSealedFor, openTargetSecrets, readDecryptionKey, readEncryptionKey, sealTargetSecrets } from './target-secrets.ts'

const pair = () => {
  const { privateKey, publicKey } = generateKeyPairSync('x25519')
  return { privateKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
const at = new Date('2026-11-21T12:00:00Z')
const [botId, otherBot] = [newId('bot', at), newId('bot', at)]
const { privateKey, publicPem, privatePem } = pair()
const secrets: TargetSecrets = { fields: { keystorePassword: 'chängeit 🔑' }, login: { password: 'p' }, jumps: [{ privateKey: 'k', passphrase: 'q' }, {}] }
const unreadable = { code: 'TARGET_SECRETS_UNREADABLE' }

test('what is sealed for a bot opens there, and shows nothing on the way', async () => {
  const sealed = await sealTargetSecrets(secrets, botId, publicPem)
  assert.match(sealed, /^[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+$/)
  for (const part of sealed.split('.')) assert.doesNotMatch(Buffer.from(part, 'base64url').toString('latin1'), /keystorePassword|passphrase/)
  assert.deepEqual(await openTargetSecrets(sealed, botId, privateKey), secrets)
  assert.notEqual(await sealTargetSecrets(secrets, botId, publicPem), sealed)
})

test('for another bot, another key or another purpose it does not open, and says which', async () => {
  const sealed = await sealTargetSecrets(secrets, botId, publicPem)
  await assert.rejects(openTargetSecrets(sealed, otherBot, privateKey), { ...unreadable, message: /another bot/ })
  await assert.rejects(openTargetSecrets(sealed, botId, pair().privateKey), { ...unreadable, message: /does not have any more/ })
  for (const text of ['', 'x', 'a.b.c.d.e', sealed.split('.').slice(1).join('.')]) await assert.rejects(openTargetSecrets(text, botId, privateKey), unreadable, text)
  assert.ok(await isSealedFor(sealed, publicPem))
  assert.ok(!await isSealedFor(sealed, pair().publicPem))
  assert.ok(!await isSealedFor(sealed, 'no key'))
})

test('the id of the bot is part of the key agreement, not only of the header', async () => {
  const sealed = await sealTargetSecrets(secrets, botId, publicPem)
  const [header = '', ...rest] = sealed.split('.')
  const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()) as object, apv: Buffer.from(otherBot).toString('base64url') }
  await assert.rejects(openTargetSecrets([Buffer.from(JSON.stringify(changed)).toString('base64url'), ...rest].join('.'), otherBot, privateKey), { ...unreadable, message: /altered/ })
})

test('what is sealed has to be the secrets of a target, and is not repeated in the error', async () => {
  const odd = await sealTargetSecrets({ logni: { password: 'p4ssw0rd' } } as unknown as TargetSecrets, botId, publicPem)
  await assert.rejects(openTargetSecrets(odd, botId, privateKey), (error: Error) => {
    assert.ok(!JSON.stringify({ ...error, message: error.message }).includes('p4ssw0rd'))
    return (error as { code?: string }).code === unreadable.code
  })
})

test('keys of other kinds are not taken', async () => {
  const ed = generateKeyPairSync('ed25519')
  assert.equal(readEncryptionKey(ed.publicKey.export({ type: 'spki', format: 'pem' }).toString()), undefined)
  assert.equal(readDecryptionKey(ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()), undefined)
  assert.equal(readEncryptionKey(privatePem), undefined, 'a private key is nothing that a bot may tell')
  assert.equal(readDecryptionKey('nonsense'), undefined)
  assert.ok(readDecryptionKey(privatePem)?.equals(privateKey))
  await assert.rejects(sealTargetSecrets(secrets, botId, 'nonsense'), unreadable)
})

test('property: any changed character is noticed', async () => {
  const sealed = await sealTargetSecrets(secrets, botId, publicPem)
  await fc.assert(fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom('A', 'z', '0', '_', '.'), async (index, character) => {
    const changed = sealed.slice(0, index) + character + sealed.slice(index + 1)
    if (changed === sealed) return
    const opened = await openTargetSecrets(changed, botId, privateKey).catch((error: { code: string }) => error.code)
    // The last character of a part can hold bits that say nothing.
    if (typeof opened === 'object') assert.deepEqual([opened, Buffer.from(changed.replaceAll('.', ''), 'base64url').length], [secrets, Buffer.from(sealed.replaceAll('.', ''), 'base64url').length])
    else assert.equal(opened, unreadable.code)
  }), { numRuns: 100 })
})
