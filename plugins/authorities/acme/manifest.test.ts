import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorityAbilities } from '@certloop/contract'
import { authorityTypes } from '../index.ts'
import { testConnector } from './acme-testing.ts'
import { hmacBytes } from './jws.ts'
import { manifest } from './manifest.ts'
import { presetOf, presets } from './presets.ts'

test('is registered under the name of its folder, with a connector that has what its abilities need', async () => {
  const entry = authorityTypes.find('acme')
  assert.equal(entry?.manifest, manifest)
  const { connector } = testConnector({ directoryUrl: 'https://ca.example/directory' })
  const methods = { 'revoke': 'revoke', 'suspend': 'suspend', 'resume': 'resume', 'renewal-window': 'renewalWindow', 'templates': 'templates', 'products': null, 'find': 'find', 'account-key-rollover': 'rollAccountKey' } as const satisfies Record<(typeof authorityAbilities)[number], keyof typeof connector | null>
  for (const ability of authorityAbilities) {
    const method = methods[ability]
    assert.equal(method !== null && connector[method] !== undefined, (manifest.abilities as readonly string[]).includes(ability), ability)
  }
  assert.equal(typeof await entry?.connector(), 'function')
})

test('says what is wrong with the fields, at the field', () => {
  const problems = (fields: Parameters<typeof manifest.check>[0]) => manifest.check(fields).map(({ field }) => field)
  assert.deepEqual(problems({ directoryUrl: 'https://ca.example/directory' }), [])
  assert.deepEqual(problems({ directoryUrl: 'http://ca.example/directory' }), ['directoryUrl'])
  assert.deepEqual(problems({ directoryUrl: 'ca.example' }), ['directoryUrl'])
  assert.deepEqual(problems({ directoryUrl: 'https://acme.zerossl.com/v2/DV90' }), ['eabKeyId'])
  assert.deepEqual(problems({ directoryUrl: 'https://api.buypass.com/acme/directory/' }), ['directoryUrl'])
})

test('ready-made entries: each its own id and a form that takes its fields; what has ended says why', () => {
  assert.equal(new Set(presets.map(({ id }) => id)).size, presets.length)
  for (const { id, fields, note, ended } of presets) {
    assert.ok(note.endsWith('.'), id)
    for (const name of Object.keys(fields)) assert.ok(name in manifest.fields.properties, `${id}: ${name}`)
    const { directoryUrl } = fields as { directoryUrl?: string }
    if (directoryUrl !== undefined) assert.deepEqual(manifest.check({ directoryUrl, eabKeyId: 'x' }).map(({ problem }) => problem), ended === null ? [] : [ended], id)
  }
  assert.equal(presetOf('https://acme-staging-v02.api.letsencrypt.org/directory')?.isPublic, false)
})

test('what the directory is decides what it is good for', async () => {
  const publicOne = testConnector({ directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory' }).connector
  assert.equal(publicOne.isPublic, true)
  assert.deepEqual(publicOne.limits?.map(({ kind, count }) => [kind, count]), [['order', 300], ['domain', 50], ['same-names', 5], ['failure', 5]])
  assert.ok(!publicOne.keyAlgorithms.includes('ed25519'))
  const request = { names: ['www.example.com', 'printer', 'nas.local', '2001:db8::1', '10.0.0.7', 'fd00::7', '203.0.113.9'], commonName: null, keyAlgorithm: 'ec-256', validityDays: 30, request: { subject: { organization: 'Shop' } } } as const
  assert.deepEqual(await publicOne.review?.(request), {
    refused: ['printer', 'nas.local', '10.0.0.7', 'fd00::7'].map((name) => ({ field: 'csr/names', problem: `"${name}" is no name or address of the internet; a public authority does not issue for it` })),
    otherwise: [{ field: 'csr/validityDays', problem: 'the authority decides how long the certificate is valid; it is not asked for these days' }, { field: 'csr/subject', problem: 'ACME authorities that check names alone leave the parts of the subject out' }],
  })
  const privateOne = testConnector({ directoryUrl: 'https://ca.internal/directory', requestNotAfter: true }).connector
  assert.deepEqual(await privateOne.review?.({ ...request, request: {} }), { refused: [], otherwise: [] })
  assert.deepEqual([privateOne.isPublic, privateOne.limits], [false, []])
})

test('an HMAC key is taken in every alphabet, and nothing else is', () => {
  assert.deepEqual(hmacBytes('-_8='), Buffer.of(0xfb, 0xff))
  assert.deepEqual(hmacBytes(' +/8\n'), Buffer.of(0xfb, 0xff))
  for (const text of ['', '=', 'a', 'not base64!']) assert.throws(() => hmacBytes(text), { code: 'AUTHORITY_ACCOUNT_REFUSED' }, text)
})
