import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { sha256Hex } from '@certloop/contract'
import type { PlanMaterial } from './driver.ts'
import { certificateBlocks, fileDigest, materialContent, materialDigest } from './material.ts'

const block = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
const material: PlanMaterial = { chainPem: [block('bGVhZg=='), `${block('aXNzdWVy')}\r\n`], fingerprint: 'f'.repeat(64), spkiDigest: sha256Hex(pair.publicKey), keyType: 'ec' }

test('a file written from the material has the digest that the plan promised', () => {
  for (const part of ['certificate', 'chain', 'full-chain', 'key', 'full-chain-and-key', 'key-and-full-chain'] as const) {
    const content = materialContent(part, material.chainPem, pair.privateKey)
    assert.equal(fileDigest(part, Buffer.from(content)), materialDigest(part, material), part)
  }
})

test('a combined file is named by certificates and key, in any order and form of the key', () => {
  const chain = materialContent('full-chain', material.chainPem, '')
  const keyFirst = `${pair.privateKey}${chain}`
  assert.equal(fileDigest('full-chain-and-key', Buffer.from(keyFirst)), materialDigest('full-chain-and-key', material))
  const other = { ...material, spkiDigest: '0'.repeat(64) }
  assert.notEqual(materialDigest('full-chain-and-key', other), materialDigest('full-chain-and-key', material))
  assert.equal(fileDigest('full-chain-and-key', Buffer.from(chain)), sha256Hex(chain))
})

test('where the key has to stand first, the same blocks in another order are another file', () => {
  const text = (part: 'full-chain-and-key' | 'key-and-full-chain') => Buffer.from(materialContent(part, material.chainPem, pair.privateKey))
  assert.ok(String(text('key-and-full-chain')).startsWith(pair.privateKey))
  assert.notEqual(fileDigest('key-and-full-chain', text('full-chain-and-key')), materialDigest('key-and-full-chain', material))
  assert.notEqual(materialDigest('key-and-full-chain', material), materialDigest('full-chain-and-key', material))
})

test('certificate blocks leave out keys and remarks', () => {
  const text = `remark\n${pair.privateKey}${block('bGVhZg==')}\nsubject=x\n${block('aXNzdWVy')}`
  assert.equal(certificateBlocks(text), `${block('bGVhZg==')}\n${block('aXNzdWVy')}\n`)
  assert.equal(certificateBlocks('nothing'), '')
})
