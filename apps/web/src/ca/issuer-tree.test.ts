import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Issuer } from '@certloop/api-client'
import { issuerTree } from './issuer-tree.ts'

/** @param signers by whom each of its certificates was signed, the first being preferred; null: outside */
function issuer(name: string, signers: (string | null)[], more: Partial<Issuer> = {}): Issuer {
  const certificates = signers.map((signer, i) => ({
    id: `icc_${name}${i}`, signedBy: signer === null ? null : `iss_${signer}` as const, subject: `CN=${name}`, issuer: `CN=${signer ?? 'Outside'}`, serialNumber: '01', fingerprint: '', notBefore: '', notAfter: '', certificatePem: '', outsideChain: [],
  } as const))
  return {
    id: `iss_${name}`, name, slot: null, kind: 'intermediate', status: 'active', subject: `CN=${name}`, keyAlgorithm: 'ec-256', keySource: 'sealed', style: 'private', crlShards: 0, crlHours: 1, deltaCrl: false, ocspMinutes: 1, pathLength: null, nameConstraints: null,
    csrPem: null, certificateId: certificates[0]?.id ?? null, certificates: certificates.map((one) => ({ ...one, outsideChain: [] })), successorId: null, notAfter: null, crls: [], addresses: null, createdAt: '', retiredAt: null, ...more,
  }
}
const shown = (issuers: Issuer[]) => issuerTree(issuers).map(({ depth, issuer: one, outside }) => `${'.'.repeat(depth)}${one?.name ?? `(${outside})`}`)

test('each issuer stands below its signer, those in use first, those signed outside below a line for the signer', () => {
  assert.deepEqual(shown([
    issuer('branch', [null]), issuer('old', ['root'], { status: 'retired' }), issuer('b', ['root']), issuer('used', ['root'], { slot: 'intermediate' }), issuer('a', ['root']), issuer('root', ['root'], { slot: 'root', kind: 'root' }), issuer('deep', ['a']), issuer('waits', [], { status: 'pending' }),
  ]), ['root', '.used', '.a', '..deep', '.b', '.old', 'waits', '(CN=Outside)', '.branch'])
})

test('every issuer is there once, also where cross-certificates are preferred in a circle', () => {
  assert.deepEqual(shown([issuer('a', ['b', 'a']), issuer('b', ['a', 'b']), issuer('c', ['b'])]), ['a', '.b', '..c'])
})

test('one whose signer is gone stands below a line with its name', () => {
  assert.deepEqual(shown([issuer('a', ['gone'])]), ['(CN=gone)', '.a'])
})
