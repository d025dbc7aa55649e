import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import { authorityInformationAccess, nameConstraints, readCertificate, type CertificateFacts } from '../certificate/index.ts'
import { certificateParts } from '../certificate/certificate.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { buildPaths } from './build-paths.ts'
import { at, make, makeChain, testKey, type Made } from './chain-testing.ts'
import { checkChain } from './check-chain.ts'
import { completeChain } from './complete-chain.ts'
import { groupIdentities } from './identities.ts'

const derOf = (pem: string): Buffer => certificateParts(pem).der

test('fuzz: chains with mutated certificates neither crash nor hang', { timeout: 120_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const { root, middle, leaf } = await makeChain('ec-256', {
    middle: { extra: [nameConstraints({ permitted: [{ type: 'dns', value: 'example.com' }, { type: 'ip', value: '10.0.0.0/8' }], excluded: [{ type: 'email', value: 'example.org' }] })] },
    leaf: { names: ['www.example.com', '192.0.2.1', { type: 'email', value: 'a@example.com' }, { type: 'uri', value: 'https://www.example.com/' }, { type: 'upn', value: 'a@b' }], extra: [authorityInformationAccess({ issuers: ['http://ca.example/'] })] },
  })
  const rest = [middle.facts, root.facts]
  const other = openssl(['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-keyout', `${folder}/key.pem`, '-subj', '/CN=pss/emailAddress=a@b.example', '-days', '3'])
  await fuzzParser({
    corpus: [derOf(leaf.facts.pem), derOf(middle.facts.pem), derOf(root.facts.pem), derOf(other), ...rootCertificates.slice(0, 10).map(derOf)],
    parse: (input) => {
      const facts = readCertificate(input)
      checkChain([facts, ...rest], { at, anchors: [root.facts], purpose: 'serverAuth', hostName: 'www.example.com' })
      checkChain([leaf.facts, facts, ...rest], { at })
      buildPaths({ leaf: leaf.facts, pool: [facts, ...rest], anchors: [facts, root.facts], at })
      completeChain({ certificates: [facts], pool: rest, aia: new Map([['http://ca.example/', input]]), at })
      groupIdentities({ certificates: [leaf.facts, facts, ...rest], keys: [leaf.key] })
    },
    codes: ['CERTIFICATE_INVALID'],
    milliseconds: 5_000,
  })
})

/** Small worlds of three names, where anybody may sign anybody, some of it expired, limited or no CA. */
const world = fc.array(fc.record({
  subject: fc.nat(2), issuer: fc.nat(2), key: fc.nat(1), issuerKey: fc.nat(1), isCa: fc.constantFrom(true, true, true, false), pathLength: fc.constantFrom(undefined, undefined, 0, 1),
  isExpired: fc.constantFrom(false, false, false, true), constraint: fc.constantFrom(undefined, undefined, 'example.com', 'example.org'), purposes: fc.constantFrom(undefined, undefined, ['serverAuth'], ['clientAuth']),
}), { minLength: 2, maxLength: 7 })
const names = ['Alpha', 'Beta', 'Gamma']

async function madeWorld(parts: (typeof world)['generate'] extends (...args: never[]) => { value: infer T } ? T : never): Promise<Made[]> {
  return Promise.all(parts.map(async (part) => {
    const issuer = await make({ name: names[part.issuer] ?? '', key: await testKey(`${names[part.issuer]} ${part.issuerKey}`), isCa: true })
    return make({
      name: names[part.subject] ?? '', key: await testKey(`${names[part.subject]} ${part.key}`), isCa: part.isCa, issuer, ...(part.isCa ? {} : { usages: ['keyCertSign'] as const, names: [] }),
      ...(part.pathLength === undefined ? {} : { pathLength: part.pathLength }), ...(part.isExpired ? { notAfter: new Date('2021-01-01T00:00:00Z') } : {}),
      ...(part.purposes ? { purposes: part.purposes } : {}), extra: part.constraint ? [nameConstraints({ permitted: [{ type: 'dns', value: part.constraint }], excluded: [] })] : [],
    })
  }))
}

test('property: whatever path buildPaths calls valid, openssl verify accepts, and the pool may come in any order', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t)
  let valid = 0
  await fc.assert(fc.asyncProperty(world, fc.nat(2), async (parts, leafIssuer) => {
    const pool = await madeWorld(parts)
    const issuer = await make({ name: names[leafIssuer] ?? '', key: await testKey(`${names[leafIssuer]} 0`), isCa: true })
    const leaf = await make({ name: 'www.example.com', issuer, purposes: ['serverAuth'] })
    const anchors = [await make({ name: 'Alpha', key: await testKey('Alpha 0'), isCa: true }), ...pool.slice(-1)]
    const search = (certificates: CertificateFacts[]) => buildPaths({ leaf: leaf.facts, pool: certificates, anchors: anchors.map(({ facts }) => facts), at, purpose: 'serverAuth' })
    const found = search(pool.map(({ facts }) => facts))
    assert.deepEqual(search(pool.map(({ facts }) => facts).toReversed()), found)
    for (const { certificates } of found.paths.filter(({ isValid }) => isValid).slice(0, 2)) {
      valid++
      const [end, ...above] = certificates
      writeFileSync(`${folder}/leaf.pem`, end?.pem ?? '')
      writeFileSync(`${folder}/pool.pem`, above.slice(0, -1).map(({ pem }) => pem).join('') || (above[0]?.pem ?? ''))
      writeFileSync(`${folder}/anchor.pem`, above.at(-1)?.pem ?? '')
      const run = spawnSync('openssl', ['verify', '-partial_chain', '-purpose', 'sslserver', '-attime', String(at.getTime() / 1000), '-CAfile', `${folder}/anchor.pem`, '-untrusted', `${folder}/pool.pem`, `${folder}/leaf.pem`], { encoding: 'utf8' })
      assert.equal(run.status, 0, `${run.stdout}${run.stderr}`)
    }
  }), { seed: 20_261_121, numRuns: 150 })
  t.diagnostic(`${valid} valid paths`)
  assert.ok(valid > 20, `only ${valid} valid paths were seen`)
})
