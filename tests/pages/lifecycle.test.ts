import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError, problemOf, type Action, type Authority, type CertificateDetail, type ConfigurationInput, type ResponseOf } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'
import { joinWorking } from './working-bot.ts'

const name = 'shop.example.com'
const placeOf = (host: string) => ({ configurationPath: '/etc/nginx/nginx.conf', certificatePath: `/etc/ssl/${host}.crt`, keyPath: `/etc/ssl/${host}.key` })
/** Far enough from now, whenever this runs. */
const windowDay = () => new Date(Date.now() + 3 * 86_400_000).toLocaleDateString('en-GB', { weekday: 'long', timeZone: 'Europe/Berlin' })

/** A certificate on two hosts, served and proven, with its page open. */
async function openCertificate(t: TestContext) {
  const ended = new AbortController()
  t.after(() => ended.abort()) // before the control plane goes
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const call = async <T>(method: string, path: string, body?: unknown) => (await callFromPage(page, method, path, body)).body as T
  const { joinToken } = await call<ResponseOf<'createBot'>>('POST', '/bots', { name: 'web-1' })
  const bot = await joinWorking(plane.url, joinToken, ended.signal)
  const { id } = await call<CertificateDetail>('POST', '/certificates', { names: [name] })
  const { items: [authority] } = await call<{ items: Authority[] }>('GET', '/authorities')
  await call('PUT', `/certificates/${id}/configuration`, {
    complete: true, authorityId: authority?.id ?? null, targets: ['one', 'two'].map((host) => ({ botId: bot.botId, serverType: 'nginx', fields: placeOf(host) })),
    csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 90 }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' },
    deployAfterRenewal: true, rollback: true, approval: 'automatic',
  } satisfies ConfigurationInput)
  const action = await call<Action>('POST', `/certificates/${id}/actions/rotate`, {})
  await eventually(async () => (await call<Action>('GET', `/actions/${action.id}`)).state === 'done', { what: 'the first version being served' })
  await page.goto(`/certificates/${id}?tab=configuration`)
  const press = async (label: string) => {
    await page.getByRole('button', { name: label, exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: label, exact: true }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }
  const choose = async (label: string, option: string) => {
    await page.getByRole('combobox', { name: label, exact: true }).click()
    await page.getByRole('option', { name: option, exact: true }).click()
  }
  return { page, bot, id, call, press, choose, assertClean }
}
type Scene = Awaited<ReturnType<typeof openCertificate>>

async function setWindowAndOrder({ page, choose, id, call }: Scene): Promise<void> {
  const day = windowDay()
  await choose('Order', 'One after the other, as listed')
  await choose('When it is deployed', 'In a window that comes again')
  await choose('Day of the week', day)
  await page.getByLabel('Begins at').fill('22:00')
  await page.getByRole('textbox', { name: 'Length' }).fill('60')
  await page.getByRole('button', { name: 'Add a freeze period' }).click()
  const freeze = page.getByRole('group', { name: 'Freeze period 1' })
  await freeze.getByLabel('Frozen from').fill('2100-01-03T00:00')
  await freeze.getByLabel('Frozen until').fill('2100-01-01T00:00')
  await page.getByRole('button', { name: 'Check', exact: true }).click()
  await page.getByRole('status').getByText('To be put right: 5. Schedule (1).').waitFor()
  await freeze.getByText('must be later than its begin').waitFor()
  assert.equal(await freeze.getByLabel('Frozen until').evaluate((element) => element === document.activeElement), true)

  await freeze.getByLabel('Frozen until').fill('2100-01-05T00:00')
  await page.getByText('You have changed something since.').waitFor()
  await page.getByRole('button', { name: 'Check again' }).click()
  const result = page.getByRole('status').filter({ hasText: 'Nothing is missing' })
  await result.waitFor()
  const runs = result.getByRole('list', { name: 'Next runs' }).getByRole('listitem')
  assert.equal(await runs.count(), 5)
  assert.match(await runs.filter({ hasText: 'Deployment' }).first().innerText(), new RegExp(`weekly on ${day} at 22:00`))
  const before = await call<CertificateDetail>('GET', `/certificates/${id}`)
  assert.equal(before.configuration?.deployment.when, 'immediately', 'a check saves nothing')

  await page.getByRole('button', { name: 'Save configuration' }).click()
  await page.getByText('You have changes that are not saved.').waitFor({ state: 'detached' })
  const { configuration } = await call<CertificateDetail>('GET', `/certificates/${id}`)
  assert.deepEqual([configuration?.deployment.window?.lengthMinutes, configuration?.deployment.freezes.length, configuration?.rollout.mode], [60, 1, 'in-order'])
}

/** A refusal that names fields of every step, and one that is not shown at the moment. */
async function findEveryProblem({ page }: Scene): Promise<void> {
  const shown = [
    'targets/0/fields/keyPath', 'targets/1/botId', 'rollout/canary', 'rollout/stopAfterFailures', 'rollout/gate/soakSeconds', 'authorityId', 'csr/mode', 'csr/names[0]', 'csr/subject/country', 'csr/profile', 'csr/validityDays',
    'renewal/daysBefore', 'renewal/zone', 'deployment/window/lengthMinutes', 'deployment/window/time', 'deployment/freezes/0/reason', 'deployment/beforeExpiryDays', 'approval',
  ]
  const hidden = ['validation/path', 'renewal/date', 'rollout/waves/0']
  const wrong = (path: string) => `wrong: ${path.replace(/\W/g, '-')}`
  const answer = problemOf(new CertloopError('INPUT_INVALID', 'The configuration does not fit.', { fields: [...shown, ...hidden].map((path) => `body.${path}: ${wrong(path)}`) }), 'req_1')
  await page.route('**/configuration', (route) => route.fulfill({ status: answer.status, contentType: 'application/problem+json', body: JSON.stringify(answer) }))
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await page.getByRole('alert').getByText('To be put right: 1. Deployment (6), 2. Authority (1), 3. Request (5), 4. Validation (1), 5. Schedule (8).').waitFor()
  for (const path of shown) assert.deepEqual([path, await page.getByText(wrong(path)).count()], [path, 2])
  for (const path of hidden) assert.deepEqual([path, await page.getByText(wrong(path)).count()], [path, 1])
  await page.unroute('**/configuration')
  await page.reload()
}

async function renewAndDeployAtOnce({ page, press, bot }: Scene): Promise<void> {
  await page.getByRole('tab', { name: 'Overview' }).click()
  const before = bot.installed.get(placeOf('one').certificatePath)
  await press('Renew')
  const waiting = page.locator('[data-action="waiting"]')
  await waiting.getByText(/It goes on in 2 days|It goes on in 3 days/).waitFor()
  await waiting.getByText(/It waits for the next deployment window/).waitFor()
  await page.locator('h1 + [data-state="renewed-not-deployed"]').waitFor()
  assert.equal(bot.installed.get(placeOf('one').certificatePath), before)
  await press('Deploy')
  const action = page.locator('[data-action="done"]')
  await action.getByText('Rollout, wave 2 of 2: 2 of 2 targets deployed.').waitFor()
  await page.locator('h1 + [data-state="deployed"]').waitFor()
  assert.notEqual(bot.installed.get(placeOf('one').certificatePath), before)
}

async function takeBack({ page, bot, press }: Scene): Promise<void> {
  const path = placeOf('two').certificatePath
  const renewed = bot.installed.get(path)
  await page.locator('[data-action]').getByRole('link', { name: 'Deployment', exact: true }).last().click()
  await page.getByRole('heading', { name: `Deployment of ${name}`, level: 1 }).waitFor()
  await press('Take back')
  await page.getByText('an earlier deployment').waitFor()
  await page.locator('h1 + [data-state="deployed"]').waitFor()
  assert.notEqual(bot.installed.get(path), renewed)
  await page.getByRole('table', { name: 'Proof' }).getByText('As expected').waitFor()
  await page.getByRole('link', { name, exact: true }).first().click()
  await page.locator('h1 + [data-state="renewed-not-deployed"]').waitFor()
}

async function cancel({ page, bot, press }: Scene): Promise<void> {
  const path = placeOf('one').certificatePath
  const before = bot.installed.get(path)
  bot.hold()
  await press('Rotate')
  await page.locator('[data-action] [data-state="deploying"]').filter({ visible: true }).waitFor()
  await press('Cancel this action')
  await page.locator('[data-action="cancelled"]').waitFor()
  assert.equal(bot.installed.get(path), before)
}

async function revoke({ page }: Scene): Promise<void> {
  await page.getByRole('button', { name: 'More actions' }).click()
  await page.getByRole('toolbar', { name: 'Actions' }).getByRole('button', { name: 'Revoke' }).click()
  const dialogue = page.getByRole('dialog')
  await dialogue.getByRole('combobox', { name: 'Reason' }).click()
  await page.getByRole('option', { name: 'Superseded' }).click()
  await dialogue.getByRole('button', { name: 'Revoke' }).click()
  await page.locator('h1 + [data-state="revoked"]').waitFor()
  await page.getByRole('tab', { name: 'Timeline' }).click()
  await page.getByText(/superseded/i).first().waitFor()
  await page.getByRole('link', { name: 'Certificates', exact: true }).first().click()
  await page.getByRole('table', { name: 'Certificates' }).getByText('Next: ').waitFor()
  await page.getByRole('link', { name: 'Orders', exact: true }).click()
  await page.getByRole('group', { name: 'State' }).getByText('Complete 3').waitFor()
}

test('a certificate through its life: window and order set, renewed, deployed, taken back, cancelled, revoked', { timeout: 240_000 }, async (t) => {
  const scene = await openCertificate(t)
  await t.test('window and order are checked, shown with the next runs, and saved', () => setWindowAndOrder(scene))
  await t.test('every problem that is named has its place', () => findEveryProblem(scene))
  await t.test('what is renewed waits for the window, and is deployed at once on demand', () => renewAndDeployAtOnce(scene))
  await t.test('a deployment is taken back', () => takeBack(scene))
  await t.test('an action is cancelled while the bot works', () => cancel(scene))
  await t.test('a version is revoked with a reason', () => revoke(scene))
  scene.assertClean()
})
