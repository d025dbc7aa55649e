import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { field, fieldsObject } from '@certloop/contract'
import { tempFolder } from '@certloop/test-kit'
import { limitText, readLimits } from '../authority/limit-options.ts'
import type { Context } from '../context.ts'
import { typedLines } from './typed-lines.ts'
import { askSecrets, missingSecrets, readFieldFiles, readFields, readSecretFields, type TypedSchema } from './typed-options.ts'

const schema = fieldsObject({
  directoryUrl: field.text({ label: 'Directory', help: 'Where it begins.' }), port: field.optional(field.port({ label: 'Port', help: '' })), agreed: field.switch({ label: 'Agreed', help: 'To its terms.', default: false }),
  trustPem: field.optional(field.pem({ label: 'Trust', help: 'Its root.' })), key: field.secret({ label: 'Key of the account', help: 'From its console.' }), old: field.optional(field.secret({ label: 'Old', help: '' })),
})
const typed = schema as unknown as TypedSchema
const world = (more: object): Context => ({ world: { canAsk: false, readInput: async () => 'from input\n', ...more } }) as unknown as Context
const refused = (message: RegExp) => ({ name: 'Failure', message })

test('fields take the type of their schema; "" takes one out, and a secret is not taken', () => {
  assert.deepEqual(readFields(typed, { port: 1, directoryUrl: 'x' }, ['port=8443', 'agreed=true', 'directoryUrl=']), { port: 8443, agreed: true })
  assert.throws(() => readFields(typed, {}, ['key=abc']), refused(/key is secret/))
  assert.throws(() => readFields(typed, {}, ['port']), refused(/NAME=VALUE/))
})

test('secrets come from files, standard input or the terminal, and from nowhere else', async (t) => {
  const file = join(await tempFolder(t), 'key')
  await writeFile(file, 'abc\n')
  assert.deepEqual(await readSecretFields(world({}), [`key=${file}`, 'old=']), { key: 'abc', old: null })
  assert.deepEqual(await readSecretFields(world({}), ['key=-']), { key: 'from input' })
  await assert.rejects(readSecretFields(world({}), ['key=/nowhere/at/all']), refused(/can not be read/))
  await assert.rejects(askSecrets(world({}), typed, ['key']), refused(/can not be asked for/))
  const asked: unknown[] = []
  assert.deepEqual(await askSecrets(world({ canAsk: true, ask: async (...words: unknown[]) => { asked.push(words); return 'typed' } }), typed, ['key']), { key: 'typed' })
  assert.deepEqual(asked, [['Key of the account: ', { hidden: true }]])
  assert.deepEqual([missingSecrets(typed, {}), missingSecrets(typed, { key: 'x' })], [['key'], []])
  assert.deepEqual(await readFieldFiles(typed, [`trustPem=${file}`]), { trustPem: 'abc\n' })
  await assert.rejects(readFieldFiles(typed, [`key=${file}`]), refused(/key is secret: --secret key=/))
})

test('the help of a field says how it is given', () => {
  const lines = typedLines(schema).join('\n')
  assert.match(lines, /key \(secret; required; given with --secret key=FILE\)\n {2}Key of the account\. From its console\./)
  assert.match(lines, /trustPem \(pem; given with --field-file trustPem=FILE\)/)
  assert.match(lines, /agreed \(true, false; default false\)/)
})

test('limits read as people write them', () => {
  const limits = readLimits(['order=300/3h', 'domain=50/7d,new'])
  assert.deepEqual(limits, [{ kind: 'order', count: 300, seconds: 10_800, renewalsCount: true }, { kind: 'domain', count: 50, seconds: 604_800, renewalsCount: false }])
  assert.deepEqual(limits?.map(limitText), ['300 orders of the account in 3 h', '50 certificates of a registered domain in 7 d, renewals it was told of not counted'])
  assert.deepEqual([readLimits(['']), readLimits(undefined)], [[], undefined])
  for (const text of ['orders=300/3h', 'order=300', 'order=300/3', 'order=-1/3h']) assert.throws(() => readLimits([text]), refused(/--limit takes a limit such as/), text)
})
