import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { isIssuedBy, readCertificate } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import { caStart, caWorld, serverRequest } from './ca-testing.ts'
import type { IssuerSettings } from './issuer.ts'
import type { NewIssuer } from './issuer-making.ts'
import type { LocalCa } from './local-ca.ts'
import { opensslFolder } from './openssl-ca-testing.ts'

const rootOf = (name: string, keyAlgorithm: KeyAlgorithm, settings: Partial<IssuerSettings> = {}): NewIssuer => ({ name, commonName: name, subject: [{ type: 'O', value: 'Trial' }], keyAlgorithm, signedBy: 'self', validityDays: 3000, settings })
const world = async (t: TestContext) => caWorld(t, await emptyDatabase(t))
const under = (name: string, signedBy: NewIssuer['signedBy'], settings: Partial<IssuerSettings> = { pathLength: 0 }, keyAlgorithm: KeyAlgorithm = 'ec-256'): NewIssuer => ({ name, commonName: name, keyAlgorithm, signedBy, validityDays: 1000, settings })
const pemOf = (issuer: { certificate: { certificatePem: string } | null }) => issuer.certificate?.certificatePem ?? ''

async function pair(ca: LocalCa, keyAlgorithm: KeyAlgorithm, hash: IssuerSettings['hash']) {
  const root = await ca.issuerService.create(rootOf(`Root ${keyAlgorithm} ${hash}`, keyAlgorithm, { hash }))
  const intermediate = await ca.issuerService.create(under(`Below ${keyAlgorithm} ${hash}`, root.id, { hash, pathLength: 0 }, keyAlgorithm))
  return { root, intermediate, issued: await ca.issue(await serverRequest(`${keyAlgorithm} ${hash}`, { issuerId: intermediate.id })) }
}

const kinds: [KeyAlgorithm, IssuerSettings['hash']][] = [...keyAlgorithms.map((one): [KeyAlgorithm, null] => [one, null]), ...(['sha256', 'sha384', 'sha512'] as const).flatMap((hash): [KeyAlgorithm, typeof hash][] => [['rsa-2048', hash], ['ec-256', hash]])]

/** The last one is signed by itself. */
function followOneAnother(chain: readonly string[]): boolean {
  const facts = chain.map((pem) => readCertificate(pem))
  return facts.every((one, i) => isIssuedBy(one, facts[i + 1] ?? one))
}
function signedByNext(chain: readonly string[]): boolean[] {
  const certificates = chain.map((pem) => new X509Certificate(pem))
  return certificates.map((one, i) => one.verify((certificates[i + 1] ?? one).publicKey))
}

for (const [algorithm, hash] of kinds) {
  test(`a root of ${algorithm}${hash ? ` with ${hash}` : ''}, an intermediate under it, and a leaf`, { timeout: 180_000 }, async (t) => {
    const { ca } = await world(t)
    const { root, intermediate, issued } = await pair(ca, algorithm, hash)
    assert.deepEqual([root.kind, root.status, intermediate.kind, intermediate.status, root.keyAlgorithm], ['root', 'active', 'intermediate', 'active', algorithm])
    assert.deepEqual([issued.chainPem.length, issued.chainPem[1], issued.rootPem], [2, pemOf(intermediate), pemOf(root)])
    assert.ok(followOneAnother([...issued.chainPem, issued.rootPem]))
    if (algorithm.startsWith('ml-dsa')) {
      // Debian's openssl has none of it; Node's has.
      assert.deepEqual(signedByNext([...issued.chainPem, issued.rootPem]), [true, true, true])
      return
    }
    const openssl = opensslFolder(t)
    openssl.verifyIssued(issued, { at: caStart, more: ['-purpose', 'sslserver'] })
    if (hash) for (const pem of [...issued.chainPem, issued.rootPem]) assert.match(openssl.run('x509', '-noout', '-text', '-in', openssl.file(pem)), new RegExp(`Signature Algorithm: .*${hash}`, 'i'))
  })
}

test('path length: what leaves no room is refused, and openssl takes the chain that fits', async (t) => {
  const { ca } = await world(t)
  const root = await ca.issuerService.create(rootOf('Root', 'ec-256', { pathLength: 1 }))
  const middle = await ca.issuerService.create(under('Middle', root.id, { pathLength: 0 }))
  await assert.rejects(ca.issuerService.create(under('Too deep', middle.id, { pathLength: 0 })), { code: 'PROFILE_VIOLATION' })
  for (const pathLength of [1, null]) await assert.rejects(ca.issuerService.create(under('Too wide', root.id, { pathLength })), { code: 'PROFILE_VIOLATION' })
  assert.equal(readCertificate(pemOf(middle)).basicConstraints?.pathLength, 0)
  assert.equal(readCertificate(pemOf(root)).basicConstraints?.pathLength, 1)
  const issued = await ca.issue(await serverRequest('a', { issuerId: middle.id }))
  opensslFolder(t).verifyIssued(issued, { at: caStart })
  // A path limited nowhere is limited by what stands above it all the same.
  const wide = await ca.issuerService.create(rootOf('Wide root', 'ec-256'))
  const one = await ca.issuerService.create(under('One', wide.id, { pathLength: 1 }))
  const two = await ca.issuerService.create(under('Two', one.id, { pathLength: 0 }))
  await assert.rejects(ca.issuerService.create(under('Three', two.id, { pathLength: 0 })), { code: 'PROFILE_VIOLATION' })
  const deep = await ca.issue(await serverRequest('b', { issuerId: two.id }))
  assert.equal(deep.chainPem.length, 3)
  opensslFolder(t).verifyIssued(deep, { at: caStart })
  assert.equal((await ca.issuers()).some(({ status }) => status === 'pending'), false, 'what was refused left nothing behind')
})

test('name constraints: inside openssl agrees, outside is refused; those further above bind too', async (t) => {
  const { ca } = await world(t)
  const nameConstraints = { permitted: [{ type: 'dns', value: 'corp.example' }, { type: 'ip', value: '10.0.0.0/8' }], excluded: [{ type: 'dns', value: 'secret.corp.example' }] } as const
  const root = await ca.issuerService.create(rootOf('Root', 'ec-256'))
  const bound = await ca.issuerService.create(under('Bound', root.id, { nameConstraints, pathLength: 1 }))
  const below = await ca.issuerService.create(under('Below', bound.id, { pathLength: 0 }))
  const openssl = opensslFolder(t)
  assert.match(openssl.run('x509', '-noout', '-text', '-in', openssl.file(pemOf(bound))), /Name Constraints: critical\s+Permitted:\s+DNS:corp\.example\s+IP:10\.0\.0\.0\/255\.0\.0\.0\s+Excluded:\s+DNS:secret\.corp\.example/)
  for (const [i, issuer] of [bound, below].entries()) {
    const inside = await ca.issue(await serverRequest(`in ${i}`, { issuerId: issuer.id, names: ['corp.example', '*.a.corp.example', '10.1.2.3'] }))
    openssl.verifyIssued(inside, { at: caStart })
    for (const names of [['corp.example.net'], ['notcorp.example'], ['secret.corp.example'], ['a.secret.corp.example'], ['192.0.2.1'], ['corp.example', 'other.example']]) {
      await assert.rejects(async () => ca.issue(await serverRequest(`out ${i} ${names.join()}`, { issuerId: issuer.id, names })), { code: 'NAME_INVALID' }, `${issuer.name}: ${names.join()}`)
    }
  }
})

test('a wish that can not be fulfilled leaves no issuer behind, and the next start is not held up', async (t) => {
  const { ca } = await world(t)
  const root = await ca.issuerService.create(rootOf('Root', 'ec-256'))
  const before = (await ca.issuers()).length
  const refused: [NewIssuer, string][] = [
    [{ ...under('Public', root.id), profile: 'public-subordinate-ca' }, 'PROFILE_VIOLATION'],
    [{ ...under('Long', root.id), validityDays: 9000 }, 'PROFILE_VIOLATION'],
    [{ ...under('No profile', root.id), profile: 'none-such' }, 'NOT_FOUND'],
    [{ ...under('No CA', root.id), profile: 'client' }, 'PROFILE_VIOLATION'],
    [{ ...under('Token', root.id), key: { source: 'pkcs11', label: 'x' } }, 'PKCS11_UNAVAILABLE'],
    [{ ...under('Odd country', root.id), subject: [{ type: 'C', value: 'Germany' }] }, 'NAME_INVALID'],
  ]
  for (const [wish, code] of refused) await assert.rejects(ca.issuerService.create(wish), { code }, wish.name)
  assert.equal((await ca.issuers()).length, before)
  await ca.ensureHierarchy()
  await ca.issuerService.create(under('Long', root.id))
  await assert.rejects(ca.issuerService.create(under('Long', root.id)), { code: 'CONFLICT' })
})
