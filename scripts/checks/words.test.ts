import assert from 'node:assert/strict'
import { test } from 'node:test'
import { badWords, findBadWords } from './words.ts'

const words = badWords({ root: '/build/certloop', home: '/home/jane', registry: 'https://packages.internal.example:4873/npm/' })
const find = (text: string) => findBadWords('a.md', text, words)

test('paths of the machine, registries and keys are found with their line', () => {
  assert.deepEqual(find('one\nsee /build/certloop/apps'), ['a.md:2: a path of this machine'])
  assert.deepEqual(find('cd /home/jane/src'), ['a.md:1: a path of this machine'])
  assert.deepEqual(find('from https://packages.internal.example:4873/npm/x.tgz'), ['a.md:1: the host of a package registry'])
  assert.deepEqual(find('"resolved": "https://registry.npmjs.org/x"'), ['a.md:1: the host of a package registry'])
  assert.deepEqual(find(`-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n`), ['a.md:1: a private key'])
})

test('honest texts pass', () => {
  for (const text of ['/root and /build', '/var/lib/certloop', '/home/certloop/data', '-----BEGIN PRIVATE KEY-----\n…', 'npm install']) assert.deepEqual(find(text), [])
})

test('without a registry address the others are still looked for', () => {
  assert.equal(findBadWords('a', '/build/certloop', badWords({ root: '/build/certloop', home: '/home/x' })).length, 1)
})
