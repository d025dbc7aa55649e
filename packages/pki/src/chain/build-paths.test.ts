import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CertificateFacts } from '../certificate/index.ts'
import { buildPaths } from './build-paths.ts'
import { at, make, makeChain, sha1Signer, testKey, type Made } from './chain-testing.ts'

const factsOf = (...made: readonly Made[]): CertificateFacts[] => made.map(({ facts }) => facts)
const prints = (path: { certificates: CertificateFacts[] } | undefined): string[] => path?.certificates.map(({ fingerprint }) => fingerprint) ?? []
const printsOf = (...made: readonly Made[]): string[] => factsOf(...made).map(({ fingerprint }) => fingerprint)

test('a path goes from the leaf over the pool to an anchor, root or intermediate', async () => {
  const { root, middle, leaf } = await makeChain()
  const stranger = await make({ name: 'Stranger', isCa: true })
  const pool = factsOf(stranger, root, leaf, middle)
  const whole = buildPaths({ leaf: leaf.facts, pool, anchors: [root.facts], at })
  assert.deepEqual([whole.paths.map(prints), whole.truncated], [[printsOf(leaf, middle, root)], false])
  assert.deepEqual([whole.paths[0]?.isValid, whole.paths[0]?.findings], [true, []])
  assert.deepEqual(buildPaths({ leaf: leaf.facts, pool, anchors: [middle.facts], at }).paths.map(prints), [printsOf(leaf, middle)])
  assert.deepEqual(buildPaths({ leaf: leaf.facts, pool, anchors: [leaf.facts], at }).paths.map(prints), [printsOf(leaf)])
  assert.deepEqual(buildPaths({ leaf: leaf.facts, pool: [], anchors: [root.facts], at }).paths, [])
  assert.deepEqual(buildPaths({ leaf: leaf.facts, pool, anchors: [stranger.facts], at }).paths, [])
})

test('cross-signed intermediates give alternatives: valid first, then shorter, then newer', async () => {
  const { root, middle, leaf } = await makeChain()
  const old = await make({ name: 'Old root', isCa: true })
  const rootByOld = await make({ name: 'Root', key: root.key, isCa: true, issuer: old })
  const expired = await make({ name: 'Middle', key: middle.key, isCa: true, issuer: root, notAfter: new Date('2026-02-01T00:00:00Z') })
  const newer = await make({ name: 'Middle', key: middle.key, isCa: true, issuer: root, notBefore: new Date('2026-03-01T00:00:00Z') })
  const { paths } = buildPaths({ leaf: leaf.facts, pool: factsOf(expired, middle, newer, rootByOld), anchors: factsOf(old, root), at })
  assert.deepEqual(paths.map(prints), [
    printsOf(leaf, newer, root), printsOf(leaf, middle, root), printsOf(leaf, newer, rootByOld, old), printsOf(leaf, middle, rootByOld, old),
    printsOf(leaf, expired, root), printsOf(leaf, expired, rootByOld, old),
  ])
  assert.deepEqual(paths.map(({ isValid }) => isValid), [true, true, true, true, false, false])
  assert.deepEqual(paths[4]?.findings.filter(({ severity }) => severity === 'error').map(({ code, index }) => [code, index]), [['EXPIRED', 1]])
})

test('a path over a broken hash comes after a longer one without', async () => {
  const root = await make({ name: 'Root', algorithm: 'rsa-2048', isCa: true })
  const other = await make({ name: 'Other', isCa: true })
  const weak = await make({ name: 'Middle', isCa: true, issuer: root, signer: sha1Signer(root.key) })
  const between = await make({ name: 'Between', isCa: true, issuer: other })
  const strong = await make({ name: 'Middle', isCa: true, issuer: between, key: weak.key })
  const leaf = await make({ name: 'www.example.com', issuer: weak })
  const { paths } = buildPaths({ leaf: leaf.facts, pool: factsOf(weak, strong, between), anchors: factsOf(root, other), at })
  assert.deepEqual(paths.map(prints), [printsOf(leaf, strong, between, other), printsOf(leaf, weak, root)])
  assert.deepEqual(paths[1]?.findings.filter(({ severity }) => severity === 'error').map(({ code, index }) => [code, index]), [['SIGNATURE_WEAK', 1]])
})

test('mutual cross-signing and loops end', async () => {
  const a = await make({ name: 'A', isCa: true })
  const b = await make({ name: 'B', isCa: true })
  const cross = [await make({ name: 'A', key: a.key, isCa: true, issuer: b }), await make({ name: 'B', key: b.key, isCa: true, issuer: a })]
  const leaf = await make({ name: 'www.example.com', issuer: a })
  const both = buildPaths({ leaf: leaf.facts, pool: factsOf(...cross), anchors: factsOf(a, b), at })
  assert.deepEqual(both.paths.map(({ certificates }) => certificates.length), [2, 3])
  const none = buildPaths({ leaf: leaf.facts, pool: factsOf(...cross, a, b), anchors: factsOf(await make({ name: 'C', isCa: true })), at })
  assert.deepEqual([none.paths, none.truncated], [[], false])
})

const elapsed = (work: () => void): number => { const begin = performance.now(); work(); return performance.now() - begin }

test('hostile pools take bounded time', { timeout: 120_000 }, async () => {
  const { root, middle, leaf } = await makeChain()
  const same: Made[] = []
  for (let i = 0; i < 1_000; i++) same.push(await make({ name: 'Middle', key: middle.key, isCa: true, issuer: root }))
  const roots: Made[] = []
  for (let i = 0; i < 300; i++) roots.push(await make({ name: 'Root', key: root.key, isCa: true }))
  for (const anchors of [[root], roots, [await make({ name: 'Root', isCa: true, key: await testKey('another') })]]) {
    const took = elapsed(() => {
      const found = buildPaths({ leaf: leaf.facts, pool: factsOf(...same), anchors: factsOf(...anchors), at })
      assert.ok(found.paths.length <= 10)
      assert.equal(found.truncated, true)
    })
    assert.ok(took < 5_000, `${took} ms`)
  }
  // Layers where each of forty has each of forty above it: 40^8 paths.
  const layers: Made[][] = [[await make({ name: 'L0', isCa: true })]]
  for (let layer = 1; layer <= 8; layer++) {
    const below: Made[] = []
    for (let i = 0; i < 40; i++) below.push(await make({ name: `L${layer}`, key: await testKey(`L${layer}`), isCa: true, issuer: layers[layer - 1]?.[0] ?? root }))
    layers.push(below)
  }
  const end = await make({ name: 'end.example', issuer: layers[8]?.[0] ?? root })
  const took = elapsed(() => {
    const found = buildPaths({ leaf: end.facts, pool: factsOf(...layers.flat()), anchors: factsOf(...(layers[0] ?? [])), at, maxLength: 12 })
    assert.deepEqual([found.paths.length, found.truncated], [10, true])
    assert.equal(found.paths[0]?.isValid, true)
    assert.deepEqual(buildPaths({ leaf: end.facts, pool: factsOf(...layers.flat()), anchors: [root.facts], at }), { paths: [], truncated: false })
  })
  assert.ok(took < 5_000, `${took} ms`)
})

test('hundreds of issuers of the same name with other keys do not hide the right one', { timeout: 60_000 }, async () => {
  const { root, middle, leaf } = await makeChain()
  const imposters: Made[] = []
  for (let i = 0; i < 600; i++) imposters.push(await make({ name: 'Middle', isCa: true, key: await testKey(`imposter ${i % 300}`), issuer: root }))
  const found = buildPaths({ leaf: leaf.facts, pool: factsOf(...imposters, middle), anchors: [root.facts], at })
  assert.deepEqual(prints(found.paths[0]), printsOf(leaf, middle, root))
  assert.equal(found.paths[0]?.isValid, true)
})

test('a crowd of shorter, newer, expired paths does not hide the valid one', { timeout: 60_000 }, async () => {
  const { root, middle, leaf } = await makeChain()
  const between = await make({ name: 'Between', isCa: true, issuer: root })
  const longer = await make({ name: 'Middle', key: middle.key, isCa: true, issuer: between })
  const expired: Made[] = []
  for (let i = 0; i < 100; i++) expired.push(await make({ name: 'Middle', key: middle.key, isCa: true, issuer: root, notBefore: new Date('2021-01-01T00:00:00Z'), notAfter: new Date('2022-01-01T00:00:00Z') }))
  const { paths, truncated } = buildPaths({ leaf: leaf.facts, pool: factsOf(...expired, longer, between), anchors: [root.facts], at })
  assert.deepEqual([prints(paths[0]), paths[0]?.isValid, paths[1]?.isValid, truncated], [printsOf(leaf, longer, between, root), true, false, true])
})

test('limits are refused by name', async () => {
  const { root, leaf } = await makeChain()
  const options = { leaf: leaf.facts, pool: [], anchors: [root.facts], at }
  for (const wrong of [{ maxPaths: 0 }, { maxPaths: 101 }, { maxLength: 51 }, { maxLength: 1.5 }, { pool: Array.from({ length: 10_000 }, () => root.facts) }]) {
    assert.throws(() => buildPaths({ ...options, ...wrong }), { code: 'LIMIT_EXCEEDED' })
  }
})

test('property: the order of pool and anchors does not change the result', async () => {
  const { root, middle, leaf } = await makeChain()
  const old = await make({ name: 'Old root', isCa: true })
  const pool = [middle, root, await make({ name: 'Root', key: root.key, isCa: true, issuer: old }), await make({ name: 'Middle', key: middle.key, isCa: true, issuer: old }),
    await make({ name: 'Middle', isCa: true, key: await testKey('other middle'), issuer: old }), await make({ name: 'Middle', key: middle.key, isCa: true, issuer: root, pathLength: 0 })]
  const wanted = buildPaths({ leaf: leaf.facts, pool: factsOf(...pool), anchors: factsOf(root, old), at })
  assert.ok(wanted.paths.length >= 4)
  fc.assert(fc.property(fc.shuffledSubarray(pool, { minLength: pool.length }), fc.shuffledSubarray([root, old], { minLength: 2 }), (shuffled, anchors) => {
    assert.deepEqual(buildPaths({ leaf: leaf.facts, pool: factsOf(...shuffled), anchors: factsOf(...anchors), at }), wanted)
  }), { numRuns: 60 })
})
