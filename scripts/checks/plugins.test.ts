import assert from 'node:assert/strict'
import { test } from 'node:test'
import { field, fieldsObject } from '../../packages/contract/src/index.ts'
import type { ServerTypeManifest } from '../../packages/plugin-kit/src/index.ts'
import { homes, plugins, problemsOfPlugins as problemsOf, type PluginFolders } from './plugins.ts'

const problemsOfPlugins = (manifests: readonly ServerTypeManifest[], folders: PluginFolders) => problemsOf(manifests, folders, homes['server-types'])
const whole = new Set(['manifest.ts', 'driver.ts', 'README.md'])
const manifest = (id: string, fields: ServerTypeManifest['fields'] = fieldsObject({ path: field.path({ label: 'File', help: 'Where it is.' }) })): ServerTypeManifest =>
  ({ id, title: id, category: 'web', summary: 'A server.', fields, identity: Object.keys(fields.properties), capabilities: [] })

test('a whole plug-in has no problems', () => {
  assert.deepEqual(problemsOfPlugins([manifest('one')], new Map([['one', whole]])), [])
})

test('an id without folder and a folder without entry are named', () => {
  const problems = problemsOfPlugins([manifest('one')], new Map([['two', whole]]))
  assert.equal(problems.length, 2)
  assert.match(problems[0] ?? '', /^one: there is no folder/)
  assert.match(problems[1] ?? '', /^two: the folder is not in the registry/)
})

test('missing files are named', () => {
  assert.deepEqual(problemsOfPlugins([manifest('one')], new Map([['one', new Set(['manifest.ts', 'driver.ts'])]])), ['one: README.md is missing'])
})

test('fields without notes, label or help are named', () => {
  const fields = fieldsObject({ bare: { type: 'string' }, blank: field.text({ label: ' ', help: 'Help.' }), silent: field.text({ label: 'Label', help: '' }) })
  const problems = problemsOfPlugins([manifest('one', fields)], new Map([['one', whole]]))
  assert.deepEqual(problems.map((p) => p.slice(0, 34)), ['one: field "bare" is not made with', 'one: field "blank" has no label', 'one: field "silent" has no help'])
})

test('an identity that names no field is told', () => {
  assert.deepEqual(problemsOfPlugins([{ ...manifest('one'), identity: ['path', 'port'] }], new Map([['one', whole]])), ['one: identity names "port", which is no field'])
})

test('authorities and DNS providers are held to the same, with a connector in place of a driver', () => {
  const { identity: _identity, ...other } = manifest('one')
  const asked = (folders: PluginFolders) => problemsOf([other], folders, homes['dns-providers'])
  assert.deepEqual(asked(new Map([['one', new Set(['manifest.ts', 'connector.ts', 'README.md'])]])), [])
  assert.deepEqual(asked(new Map([['one', whole]])), ['one: connector.ts is missing'])
  assert.deepEqual(asked(new Map([['one', new Set(['manifest.ts', 'connector.ts', 'README.md'])], ['two', whole]])), ['two: the folder is not in the registry (plugins/dns-providers/index.ts)'])
})

test('every plug-in of the repository is as it should be', async () => assert.deepEqual(await plugins.run({ write: false }), []))
