import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkNewPassword, generatePassword, hashPassword, unknownUserHash, verifyPassword } from './password.ts'

test('a hash names its parameters and fits its password alone', async () => {
  const hash = await hashPassword('grüße')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  assert.notEqual(hash, await hashPassword('grüße'))
  assert.equal(await verifyPassword('grüße', hash), true)
  assert.equal(await verifyPassword('gru\u0308ße', hash), true, 'however the umlaut is typed')
  assert.equal(await verifyPassword('grüsse', hash), false)
  assert.equal(await verifyPassword('', unknownUserHash), false)
  await assert.rejects(verifyPassword('x', 'plain'), /can not be read/)
})

test('a hash of the reference implementation is understood', async () => {
  // From the test vectors of phc-winner-argon2 (argon2id, v=19, m=65536 KiB, t=2, p=1, "password", salt "somesalt").
  assert.equal(await verifyPassword('password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'), true)
})

test('many at once wait for each other; too many are sent away', { timeout: 60_000 }, async () => {
  const hash = await hashPassword('x')
  const results = await Promise.allSettled(Array.from({ length: 60 }, () => verifyPassword('x', hash)))
  const refused = results.filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 8)
  assert.equal(await verifyPassword('x', hash), true, 'and the places are free again')
})

test('generated passwords pass the rules and differ', () => {
  const passwords = new Set(Array.from({ length: 200 }, generatePassword))
  assert.equal(passwords.size, 200)
  for (const password of passwords) checkNewPassword(password, { current: 'x', name: 'admin' })
})
