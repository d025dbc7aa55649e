import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId } from '../new-id.ts'
import { decodeJoinToken, encodeJoinToken, type JoinToken } from './join-token.ts'

const token: JoinToken = { url: 'https://certloop.example:8420', pin: 'ab'.repeat(32), id: newId('jtk', new Date()), secret: 'a secret of this length' }

test('a join token reads back as it was made, with white space around it too', () => {
  assert.deepEqual(decodeJoinToken(encodeJoinToken(token)), token)
  assert.deepEqual(decodeJoinToken(`\n ${encodeJoinToken({ ...token, pin: '' })} \n`), { ...token, pin: '' })
})

test('what is no join token is refused with JOIN_TOKEN_MALFORMED, and its secret is not repeated', () => {
  const text = encodeJoinToken(token)
  const forged = (parts: unknown) => `clj1.${Buffer.from(JSON.stringify(parts)).toString('base64url')}`
  const wrong = ['', 'hello', text.slice(5), text.slice(0, -6), `clj2.${text.slice(5)}`, forged({}), forged([1, 2, 3, 4]), forged([token.url, token.pin, token.id]),
    forged(['ftp://x', token.pin, token.id, 's']), forged(['nowhere', token.pin, token.id, 's']), forged([token.url, 'pin', token.id, 's']), forged([token.url, token.pin, 'bot_1', 's'])]
  for (const bad of wrong) assert.throws(() => decodeJoinToken(bad), (error: { code: string; message: string }) => error.code === 'JOIN_TOKEN_MALFORMED' && !error.message.includes(token.secret), bad)
})
