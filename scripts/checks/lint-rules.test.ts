import assert from 'node:assert/strict'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runProcess, tempFolder } from '@certloop/test-kit'

const oxlint = join(import.meta.dirname, '../../node_modules/oxlint/bin/oxlint')
const configuration = {
  jsPlugins: ['./scripts/checks/lint-rules.mjs'],
  categories: { correctness: 'off' },
  rules: { 'certloop/import-direction': 'error', 'certloop/no-ambient-time-or-chance': 'error' },
}

/** Lints one file at a path of a small tree with our own rules. @returns the messages */
async function lint(t: TestContext, path: string, code: string): Promise<string[]> {
  const root = await tempFolder(t, 'lint')
  await mkdir(join(root, 'scripts/checks'), { recursive: true })
  for (const name of ['lint-rules.mjs', 'import-direction.mjs']) await copyFile(join(import.meta.dirname, name), join(root, 'scripts/checks', name))
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), code)
  await writeFile(join(root, '.oxlintrc.json'), JSON.stringify(configuration))
  const { stdout, stderr } = await runProcess(t, [process.execPath, oxlint, '-f', 'json', path], { cwd: root })
  assert.equal(stderr, '')
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { message: string }[] }
  return diagnostics.map((d) => d.message)
}

const refusedImports: [string, string, RegExp][] = [
  ['packages/pki/src/a.ts', `import { serverTypes } from '@certloop/server-types'`, /packages import neither apps nor plugins/],
  ['packages/contract/src/a.ts', `export * from '@certloop/pki'`, /imports nothing of ours/],
  ['plugins/server-types/nginx/driver.ts', `import '@certloop/bot'`, /plugins never import apps/],
  ['apps/bot/src/a.ts', `import '@certloop/control-plane'`, /apps never import each other/],
  ['apps/control-plane/src/order/a.ts', `const bot = await import('@certloop/bot')`, /apps never import each other/],
  ['apps/control-plane/src/order/a.ts', `import '@certloop/server-types/nginx/driver.ts'`, /only bots load drivers/],
  ['apps/web/src/a.tsx', `import '@certloop/pki'`, /apps\/web may not import packages\/pki/],
  ['apps/cli/src/a.ts', `import '@certloop/server-types'`, /apps\/cli may not import plugins\/server-types/],
  ['apps/bot/src/a.ts', `import '../../../packages/pki/src/index.ts'`, /by its name/],
  ['apps/bot/src/a.ts', `import '@certloop/test-kit'`, /for tests only/],
  ['apps/bot/src/a.ts', `import '../../../scripts/pages.ts'`, /nothing from scripts/],
  ['apps/control-plane/src/order/order-routes.ts', `import '../deployment/deployment-routes.ts'`, /routes never import each other/],
  ['apps/control-plane/src/order/order-worker.ts', `import { work } from '../deployment/deployment-worker.ts'`, /workers never import each other/],
]
for (const [path, code, expected] of refusedImports) {
  test(`refused: ${code} in ${path}`, async (t) => {
    const messages = await lint(t, path, code)
    assert.equal(messages.length, 1)
    assert.match(messages[0] ?? '', expected)
  })
}

const goodImports: [string, string][] = [
  ['packages/pki/src/a.ts', `import '@certloop/contract'; import './b.ts'; import 'kysely'`],
  ['apps/control-plane/src/order/order-worker.ts', `import '@certloop/server-types'; import { run } from '../task/task-worker.ts'; import type { D } from '../deployment/deployment-worker.ts'`],
  ['apps/cli/src/a.ts', `import '@certloop/api-client'; import '@certloop/contract'`],
  ['apps/bot/src/a.test.ts', `import '@certloop/test-kit'`],
  ['tests/e2e/a.test.ts', `import '../../apps/bot/src/main.ts'`],
]
for (const [path, code] of goodImports) {
  test(`allowed: ${code} in ${path}`, async (t) => assert.deepEqual(await lint(t, path, code), []))
}

test('time and chance out of the air are refused, each once', async (t) => {
  const code = ['new Date()', 'Date.now()', 'Date()', 'Math.random()', 'Temporal.Now.instant()'].map((call, i) => `export const a${i} = ${call}`).join('\n')
  const messages = await lint(t, 'apps/bot/src/a.ts', code)
  assert.equal(messages.length, 5)
  for (const message of messages) assert.match(message, /Take time and chance as a parameter/)
})

test('time that is given is fine', async (t) => {
  const code = `export const f = (now: () => Date) => [now(), new Date(0), new Date('2026-01-01'), "Date.now()", Math.max(1, 2)] // Date.now()`
  assert.deepEqual(await lint(t, 'apps/bot/src/a.ts', code), [])
})
