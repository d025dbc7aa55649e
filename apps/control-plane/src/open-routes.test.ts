import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations, permissions, type OperationId } from '@certloop/contract'
import { pino } from 'pino'
import { composeApp } from './control-plane.ts'
import { emptyDatabase } from './database/database-testing.ts'
import { addUser, routesLeftOpen, testClock, testPassword } from './http/http-testing.ts'
import { anonymous } from './http/who.ts'
import { createLocalCa } from './local-ca/local-ca.ts'
import { createSecrets } from './secret/secrets.ts'
import { loadMasterKey } from './secret/master-key.ts'
import { tempFolder } from '@certloop/test-kit'

/** Everything a stranger may call on the product as it runs. Adding to this list is a decision. */
const openRoutes = ['POST /api/v1/session', 'GET /bot/v1/trust-anchor', 'HEAD /bot/v1/trust-anchor', 'POST /bot/v1/join', 'GET /healthz', 'HEAD /healthz', 'GET /readyz', 'HEAD /readyz', 'GET /*', 'HEAD /*']
const isDocumentation = (route: string) => /^(GET|HEAD) \/api\/(docs(\/.*)?|v1\/openapi\.json)$/.test(route)

test('no route of the composed control plane is open by accident, and none of the contract is left out', { timeout: 120_000 }, async (t) => {
  const database = await emptyDatabase(t)
  const clock = testClock()
  const { now } = clock
  const masterKey = await loadMasterKey({ environmentKey: undefined, dataFolder: await tempFolder(t, 'keys'), database })
  const secrets = await createSecrets({ database, masterKey, now })
  const localCa = createLocalCa({ database, secrets, now })
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now, random: () => 0 }, { database, localCa, secrets }, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  const signIn = async (name: string, role: 'administrator' | 'nothing') => {
    await addUser(database, clock, name, role)
    return users.signIn({ name, password: testPassword, address: '127.0.0.1', replaced: anonymous })
  }
  const [root, nobody] = [await signIn('root', 'administrator'), await signIn('nobody', 'nothing')]
  const tokens = new Map<string | undefined, string>()
  for (const missing of [undefined, ...permissions]) tokens.set(missing, (await users.tokens.create(root.who, { name: String(missing), permissions: permissions.filter((p) => p !== missing) })).token)

  const open = app.routeList.map(({ method, url }) => `${method} ${url}`).filter((route) => openRoutes.includes(route) || isDocumentation(route))
  assert.deepEqual(openRoutes.filter((route) => !open.includes(route)), [], 'the list names routes that are gone')
  assert.deepEqual(await routesLeftOpen(app, open, nobody.cookie, async (missing) => tokens.get(missing) ?? ''), [])
  const missing = (Object.keys(operations) as OperationId[]).filter((id) => !app.implementedOperations.has(id))
  assert.deepEqual(missing, [])
  const botRoutes = app.routeList.filter(({ url, access }) => url.startsWith('/bot/v1/') && access === 'bot').map(({ url }) => url)
  assert.deepEqual(botRoutes.toSorted(), ['/bot/v1/deployments/stops', '/bot/v1/hello', '/bot/v1/tasks/:id/progress', '/bot/v1/tasks/:id/result', '/bot/v1/tasks/lease'])
})
