import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csrDefaults, deploymentTimingDefault, renewalDefaults, rolloutDefault, validationDefaults, type Authority, type CertificateDetail, type Configuration } from '@certloop/api-client'
import { draftOf, inputOf, unusedSuggestions } from './draft.ts'

const suggestion = { botId: 'bot_1', botName: 'web-1', serverType: 'nginx', title: 'shop', fields: { keyPath: '/k', certificatePath: '/c' }, why: 'seen' } as const
const authority = { id: 'ath_1', keyAlgorithms: ['rsa-2048', 'ec-256'] } as unknown as Authority
const certificate = (configuration: Configuration | null) => ({ names: ['shop.example', '*.shop.example'], suggestions: [suggestion], configuration, currentVersionId: 'ver_1', versions: [{ id: 'ver_1', keyAlgorithm: 'ec-256' }] }) as unknown as CertificateDetail

test('the first proposal uses what the scan found, and the authority', () => {
  const input = inputOf(draftOf(certificate(null), [authority], 'Europe/Berlin'), true)
  assert.deepEqual(input, {
    complete: true, targets: [{ botId: 'bot_1', serverType: 'nginx', reach: 'local', fields: { keyPath: '/k', certificatePath: '/c' } }], authorityId: 'ath_1', fallbackAuthorityIds: [],
    csr: { ...csrDefaults, commonName: null, names: ['shop.example', '*.shop.example'], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null }, validation: validationDefaults,
    renewal: { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' }, deployment: { ...deploymentTimingDefault, zone: 'Europe/Berlin' }, rollout: rolloutDefault, deployAfterRenewal: true, rollback: true, approval: 'automatic',
  })
})

test('a saved configuration comes back from the form as it was', () => {
  const saved = {
    complete: false, authorityId: 'ath_1', fallbackAuthorityIds: [], targets: [{ id: 'tgt_1', botId: 'bot_1', botName: 'web-1', title: 'x', serverType: 'nginx', reach: 'local', fields: { keyPath: '/k' }, placement: { labels: ['east'], pair: 'a' }, overwrite: false, secretsSet: [], seenHostKey: null }],
    csr: { mode: 'full', commonName: 'shop.example', names: ['shop.example'], keyAlgorithm: 'rsa-2048', keyReuse: true, validityDays: 30, certificateType: 'ov', signatureAlgorithm: 'sha384', subject: { organization: 'Shop' }, templateId: 'tpl_1', templateVersion: 2 },
    validation: { method: 'file', path: '/srv/www' },
    renewal: { enabled: false, method: 'regenerate', trigger: 'date', date: '2027-03-31', frequency: 'monthly', weekday: 3, dayOfMonth: 31, daysBefore: 7, time: '23:59', zone: 'UTC' }, deployAfterRenewal: false,
    deployment: { when: 'window', at: null, window: { frequency: 'weekly', weekday: 6, dayOfMonth: 1, time: '22:00', lengthMinutes: 60 }, zone: 'Asia/Tokyo', freezes: [{ from: '2027-12-20T00:00', to: '2028-01-03T00:00', reason: 'holidays' }], beforeExpiryDays: 3 },
    rollout: { mode: 'waves', canary: 1, waves: [{ share: 30, label: null }], gate: { soakSeconds: 60, httpCheck: null, approval: true }, stopAfterFailures: 2, onStop: 'undo' }, rollback: false, approval: 'manual', updatedAt: '2026-01-01T00:00:00Z',
  } as unknown as Configuration
  const { updatedAt: _, ...expected } = saved
  assert.deepEqual(inputOf(draftOf(certificate(saved), [authority], 'UTC'), false), { ...expected, targets: [{ id: 'tgt_1', botId: 'bot_1', serverType: 'nginx', reach: 'local', fields: { keyPath: '/k' }, placement: { labels: ['east'], pair: 'a' }, overwrite: false }] })
})

test('names are taken a line each, or divided by commas; empty lines are left out', () => {
  const draft = { ...draftOf(certificate(null), [authority], 'UTC'), names: ' a.example\n\nb.example, c.example ,\n', commonName: '  ' }
  assert.deepEqual(inputOf(draft, true).csr.names, ['a.example', 'b.example', 'c.example'])
  assert.equal(inputOf(draft, true).csr.commonName, null)
})

test('a suggestion in use is not offered again, whatever the order of its fields', () => {
  const target = { botId: 'bot_1', serverType: 'nginx', fields: { certificatePath: '/c', keyPath: '/k' } } as const
  assert.deepEqual(unusedSuggestions([suggestion], [target]), [])
  assert.deepEqual(unusedSuggestions([suggestion], [{ ...target, fields: { certificatePath: '/other', keyPath: '/k' } }]), [suggestion])
})
