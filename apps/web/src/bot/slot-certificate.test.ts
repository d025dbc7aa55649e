import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateSummary } from '@certloop/api-client'
import { certificateOf, type Slot } from './slot-certificate.ts'

const certificate = (id: string, fingerprint: string | null, names: string[]) => ({ id, fingerprint, names }) as CertificateSummary
const slot = (names: string[], served: (string | null)[]) => ({ names, served: served.map((fingerprint) => ({ fingerprint })) }) as Slot
const all = [certificate('crt_names', 'aa', ['shop.example', 'www.shop.example']), certificate('crt_served', 'bb', ['other.example']), certificate('crt_empty', null, [])]

test('what is served decides; without that, the names', () => {
  assert.equal(certificateOf(slot(['shop.example'], ['bb']), all)?.id, 'crt_served')
  assert.equal(certificateOf(slot(['shop.example'], [null]), all)?.id, 'crt_names')
  assert.equal(certificateOf(slot(['shop.example', 'third.example'], []), all), undefined)
  assert.equal(certificateOf(slot([], [null]), all), undefined)
})
