import { checkShape, type FieldNotes } from '@certloop/contract'
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TObject } from 'typebox'
import type { ServerTypeManifest } from './driver.ts'

/** The part of a manifest that has to do with its fields. */
interface FieldsToTest { fields: TObject; check?(fields: unknown): unknown[] }

/** What needs no server. */
export function manifestTests(manifest: ServerTypeManifest, folder: URL): void {
  test('the folder has the name of the id', () => assert.equal(fileURLToPath(folder).replace(/\/$/, '').split('/').at(-1), manifest.id))
  test('title and summary are there', () => assert.ok(manifest.title.trim() !== '' && manifest.summary.trim() !== ''))
  test('a README says what it needs and what it does not do', () => {
    const readme = new URL('README.md', folder)
    assert.ok(existsSync(readme), 'no README.md')
    const text = readFileSync(readme, 'utf8')
    for (const word of ['bot.toml', 'Rights', 'Not supported']) assert.ok(text.includes(word), `README.md says nothing under "${word}"`)
  })
  fieldNoteTests(manifest.fields)
  test('the fields of the identity exist', () => {
    for (const name of manifest.identity) assert.ok(name in manifest.fields.properties, `identity names "${name}", which is no field`)
    assert.ok(manifest.identity.length > 0)
  })
}

/** What every field of any plug-in says of itself. */
export function fieldNoteTests({ properties }: TObject): void {
  test('every field has a label and a help text', () => {
    for (const [name, schema] of Object.entries(properties)) {
      const { label, help, kind } = notesOf(schema)
      assert.ok(label?.trim() && help?.trim() && kind, `field "${name}" lacks a label, a help text or a kind`)
    }
  })
  test('fields with passwords are marked as secret', () => {
    for (const [name, schema] of Object.entries(properties)) {
      if (/passw|passphrase|secret|token|privateKey|pin$/i.test(name) && !['path', 'switch', 'choice'].includes(notesOf(schema).kind ?? '')) assert.equal(notesOf(schema).kind, 'secret', `field "${name}"`)
    }
  })
}

export const notesOf = (schema: object): Partial<FieldNotes> => ('x-field' in schema && typeof schema['x-field'] === 'object' ? schema['x-field'] ?? {} : {})

/** Values that no field of a kind may take. */
const wrongValues: Readonly<Record<FieldNotes['kind'], readonly unknown[]>> = {
  text: ['', 7, 'x'.repeat(1001)], path: ['', 'relative/path', '/with\nline', 7], secret: [7, {}], seconds: [-1, 1.5, 'soon'], number: [-1, 1.5, 'many'],
  switch: ['yes', 1], choice: ['none-of-them', 7], lines: [[], 'one', [7], ['']], pem: ['', 7, 'no certificate'],
}

/** How the schema answers to what is wrong. They need fields that are right. */
export async function fieldTests(t: TestContext, { entry: { manifest }, fields }: { entry: { manifest: FieldsToTest }; fields: Readonly<Record<string, unknown>> }): Promise<void> {
  const check = (given: object) => checkShape(manifest.fields, given, { what: 'The plug-in' })
  const refused = (given: object, name: string) => assert.throws(() => check(given), (error) => error instanceof Error && 'code' in error && error.code === 'INPUT_INVALID' && error.message.includes(name), `${name}: ${JSON.stringify(Reflect.get(given, name))} is taken, or the message does not name the field`)
  await t.test('the fields that are worked with fit the schema', () => {
    check(fields)
    assert.deepEqual(manifest.check?.(fields) ?? [], [])
  })
  await t.test('each field refuses wrong values of its kind and is named', () => {
    for (const [name, schema] of Object.entries(manifest.fields.properties)) {
      const { kind } = notesOf(schema)
      for (const wrong of kind === undefined ? [] : wrongValues[kind]) refused({ ...fields, [name]: wrong }, name)
    }
  })
  await t.test('a required field that is missing is named', () => {
    for (const name of manifest.fields.required ?? []) refused(Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name)), name)
  })
  await t.test('a field that is not known is refused', () => refused({ ...fields, nobodyKnows: 'x' }, 'nobodyKnows'))
}
