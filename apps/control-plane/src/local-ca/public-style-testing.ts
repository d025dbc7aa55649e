import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { buildOcspRequest, certIdOf, certificateParts, createCsr, generateKey, readCertificate, readOcspResponse, type CertificateFacts, type SubjectAttribute } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { addressesAt } from './addresses.ts'
import { caWorld, type CaWorld } from './ca-testing.ts'
import { findIssued, type IssuedRow } from './issued-store.ts'
import type { Issuer, IssuerSettings } from './issuer.ts'
import type { IssueOptions } from './issue-request.ts'
import { insertProfile } from './profile-store.ts'
import { checkRules } from './profile-rules-check.ts'
import { builtInProfiles, type ProfileRules } from './profiles.ts'

/** After the change to 200 days in March 2026. */
export const publicStart = new Date('2026-04-01T12:00:00.500Z')
export const publicSubject: readonly SubjectAttribute[] = [{ type: 'O', value: 'Example Trust Services' }, { type: 'C', value: 'DE' }]
export const publicAddresses = addressesAt('http://pki.example.com')

const keys = new Map<KeyAlgorithm, Promise<string>>()
/** One key per kind: making RSA keys takes long. */
export function keyOf(algorithm: KeyAlgorithm): Promise<string> {
  const made = keys.get(algorithm) ?? generateKey(algorithm)
  keys.set(algorithm, made)
  return made
}

export type Wish = Partial<IssueOptions> & { algorithm?: KeyAlgorithm; /** Not the one that the leafs of a kind share: a key that is in other hands is certified no more. */ ownKey?: boolean }
export interface PublicWorld extends CaWorld {
  database: Database
  root: Issuer
  sub: Issuer
  /** A certificate under `sub`, by "public-server" for "shop.example.com" unless it is said otherwise. */
  leaf(reference: string, wish?: Wish): Promise<CertificateFacts>
  rowOf(reference: string): Promise<IssuedRow>
  /** What is served over HTTP: the full list, or one of its parts. */
  crl(issuer: Issuer, shard?: number): Promise<Buffer>
  ocsp(issuer: Issuer, serialNumber: string): Promise<Buffer>
}

export interface PublicKeys { root: KeyAlgorithm; sub: KeyAlgorithm; settings?: Partial<IssuerSettings>; /** Of the subordinate; default: domain validation. */ policies?: readonly string[] }
/** For a subordinate of the owner's own that certifies by every kind of validation. */
export const allPolicies = ['2.5.29.32.0']

export const factsOf = ({ certificate }: Issuer): CertificateFacts => readCertificate(certificate?.certificatePem ?? '')

/** A root and a subordinate CA of public style beside the private hierarchy. */
export async function publicWorld(t: TestContext, { root: rootKey, sub: subKey, settings = {}, policies = ['2.23.140.1.2.1'] }: PublicKeys = { root: 'ec-384', sub: 'ec-256' }): Promise<PublicWorld> {
  const database = await emptyDatabase(t)
  const world = await caWorld(t, database, { addresses: () => publicAddresses })
  const { ca, clock, origin } = world
  clock.now = publicStart
  const common = { subject: publicSubject, profile: 'public-subordinate-ca' }
  const root = await ca.issuerService.create({ ...common, name: 'public root', commonName: 'Example Root R1', keyAlgorithm: rootKey, signedBy: 'self', validityDays: 5478 })
  await addProfile({ database }, 'public-ca', { ...builtInProfiles['public-subordinate-ca'], policies })
  const sub = await ca.issuerService.create({ ...common, profile: 'public-ca', name: 'public sub', commonName: 'Example TLS CA T1', keyAlgorithm: subKey, signedBy: root.id, validityDays: 1826, settings: { pathLength: 0, ...settings } })

  const rowOf = async (reference: string) => {
    const row = await findIssued(database.db, reference)
    assert.ok(row, `no row of ${reference}`)
    return row
  }
  return {
    ...world, database, root, sub, rowOf,
    async leaf(reference, { algorithm = 'ec-256', ownKey = false, ...wish } = {}) {
      const options = { names: ['shop.example.com'], commonName: null, profile: 'public-server', validityDays: null, issuerId: sub.id, ...wish }
      const { names, otherNames = [], commonName, subject = [] } = options
      const csrPem = options.csrPem ?? await createCsr({ privateKeyPem: await (ownKey ? generateKey(algorithm) : keyOf(algorithm)), names, alternativeNames: otherNames, commonName, subject })
      const { chainPem } = await ca.issue({ reference, ...options, csrPem })
      return readCertificate(chainPem[0] ?? '')
    },
    async crl({ id }, shard) {
      await ca.crls.publish(id)
      const response = await fetch(`${origin}/crl/${id}${shard === undefined ? '' : `-${shard}`}.crl`)
      assert.equal(response.status, 200)
      return Buffer.from(await response.arrayBuffer())
    },
    async ocsp(issuer, serialNumber) {
      const { subject, spki } = certificateParts(issuer.certificate?.certificatePem ?? '')
      const { request } = buildOcspRequest({ certIds: [certIdOf({ subject: subject.raw, spki: spki.raw }, serialNumber)], nonce: null })
      const response = await fetch(`${origin}/ocsp/${issuer.id}`, { method: 'POST', body: new Uint8Array(request), headers: { 'content-type': 'application/ocsp-request' } })
      return Buffer.from(await response.arrayBuffer())
    },
  }
}

/** The responder's certificate within an answer. */
export function responderIn(answer: Buffer): CertificateFacts {
  const read = readOcspResponse(answer)
  assert.ok(read.status === 'successful')
  return readCertificate(read.certificates[0] ?? Buffer.alloc(0))
}

/** Stores a profile of one's own after the check that the API makes. */
export async function addProfile({ database }: Pick<PublicWorld, 'database'>, name: string, more: Partial<ProfileRules>): Promise<void> {
  const rules: ProfileRules = { ...builtInProfiles['public-server'], ...more }
  assert.deepEqual(checkRules(rules), [])
  await database.transaction((tx) => insertProfile(tx, name, rules, publicStart))
}
