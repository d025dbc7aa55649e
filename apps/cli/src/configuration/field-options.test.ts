import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorityCommands } from '../authority/commands.ts'
import { batchCommands } from '../many/batches.ts'
import { bulkCommands } from '../many/bulks.ts'
import { inOptions } from '../run.ts'
import { optionOfField } from './field-options.ts'
import { configurationOptions } from './meant.ts'

test('a field of the API is told by the option that sets it, where the command has one', () => {
  const fields = ['body.deployment/zone', 'rollout/waves/1/label', 'body.renewal/daysBefore', 'csr/subject/country', 'deployment/window/lengthMinutes', 'body.targets/0/botId', 'rollout/gate/httpCheck/url']
  assert.deepEqual(fields.map((field) => optionOfField(field, configurationOptions)), ['--zone', '--wave', '--renew-days', '--subject', '--deploy', undefined, '--check-url'])
  const [start, preview] = [batchCommands.find(({ verb }) => verb === 'start'), bulkCommands.find(({ verb }) => verb === 'preview')]
  assert.equal(optionOfField('body.reason', start?.options ?? {}), '--reason')
  assert.equal(optionOfField('body.parts/deployment/zone', preview?.options ?? {}), '--zone')
  assert.ok(preview)
  const add = authorityCommands.find(({ verb }) => verb === 'add')
  assert.deepEqual(['body.fields/directoryUrl', 'secrets/eabHmacKey', 'limits/0/count'].map((field) => optionOfField(field, add?.options ?? {})), ['--field directoryUrl', '--secret eabHmacKey', '--limit'])
  const told = inOptions({ exit: 1, what: 'body.deployment/zone: is none', where: 'The field named in "fields"', fields: [{ field: 'body.deployment/zone', problem: 'is none' }] }, preview)
  assert.deepEqual(told, { exit: 1, what: '--zone: is none', where: 'The options of "certloop bulk preview"', fields: [{ field: '--zone', problem: 'is none' }] })
})
