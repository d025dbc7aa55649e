import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openTargetSecrets, type BotTarget, type CertificateDetail, type HostScan, type ResponseOf } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { joinByHand } from './hand-made-bot.ts'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

const pin = `SHA256:${'A'.repeat(43)}`
const jumpPin = `SHA256:${'B'.repeat(43)}`
const at = '2026-03-01T00:00:00.000Z'
const scan: HostScan = {
  at, host: { hostName: 'db1', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }, listeners: [], problems: [],
  servers: [{
    serverType: 'jetty', key: '/opt/jetty', title: 'Jetty in /opt/jetty', version: '12', problem: null, process: { pid: 7, user: 'jetty', command: 'java', service: null, container: null },
    slots: [{ title: 'Jetty: shop in /opt/jetty/shop.p12', fields: { basePath: '/opt/jetty', keystorePath: '/opt/jetty/shop.p12', alias: 'shop' }, names: ['shop.example.com'], served: [], installedPem: null, problem: null }],
  }],
}
const unknown = (host: string, port: number, fingerprint: string) => ({ ok: false as const, error: { code: 'HOST_KEY_UNKNOWN' as const, message: `The key of ${host} port ${port} was never confirmed.`, facts: { host, port, fingerprint } } })

async function openForm(t: TestContext) {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const { joinToken } = (await callFromPage(page, 'POST', '/bots', { name: 'web1' })).body as ResponseOf<'createBot'>
  const bot = await joinByHand(plane.url, joinToken)
  await bot.answer(() => ({ ok: true, data: { ...scan, servers: [] } })) // of its own host
  const { id } = (await callFromPage(page, 'POST', '/certificates', { names: ['shop.example.com'] })).body as CertificateDetail
  await page.goto(`/certificates/${id}?tab=configuration`)
  const target = page.getByRole('group', { name: 'Target 1' })
  const shot = async (name: string) => { if (process.env['CERTLOOP_SHOTS']) await page.screenshot({ path: `${process.env['CERTLOOP_SHOTS']}/${name}.png`, fullPage: true }) }
  const choose = async (label: string, option: string) => {
    await target.getByRole('combobox', { name: label }).click()
    await page.getByRole('option', { name: option, exact: true }).click()
  }
  return { page, bot, id, target, shot, choose, assertClean }
}
type Scene = Awaited<ReturnType<typeof openForm>>

async function fillTheWay({ page, target, shot, choose }: Scene): Promise<void> {
  await page.getByRole('button', { name: 'Add a target by hand' }).click()
  await choose('Way to the target', 'Over SSH')
  await target.getByRole('textbox', { name: 'Host', exact: true }).fill('db1.example')
  await target.getByRole('textbox', { name: 'User' }).fill('deploy')
  await choose('Log in with', 'Password')
  await target.getByRole('textbox', { name: 'Password', exact: true }).fill('login-secret')
  await shot('1-way')
}

async function lookAtTheHost({ bot, target, shot }: Scene): Promise<void> {
  await target.getByRole('button', { name: 'Look at this host' }).click()
  const first = await bot.answer(() => unknown('db1.example', 22, pin))
  const payload = first.payload as { sealed: string }
  assert.deepEqual(await openTargetSecrets(payload.sealed, bot.botId, bot.encryptionKey), { login: { password: 'login-secret' } })
  await target.getByRole('alert').getByText(pin).waitFor()
  await shot('2-unknown-key')
  await target.getByRole('button', { name: 'It is the same: use this key' }).click()
  assert.equal(await target.getByRole('textbox', { name: 'Host key' }).inputValue(), pin)
  await target.getByRole('button', { name: 'Look at this host' }).click()
  await bot.answer(() => ({ ok: true, data: scan }))
  const found = target.getByRole('region', { name: 'Found on the host' })
  await found.getByText('Jetty: shop in /opt/jetty/shop.p12').waitFor()
  await shot('3-found')
  await found.getByRole('button', { name: 'Use this place' }).click()
  assert.equal(await target.getByRole('textbox', { name: 'Keystore', exact: true }).inputValue(), '/opt/jetty/shop.p12')
}

async function correctWhatIsWrong({ page, target, shot, choose }: Scene): Promise<void> {
  await target.getByRole('textbox', { name: 'Password of the keystore' }).fill('store-secret')
  await choose('Taking up the new certificate', 'Restart it with a command')
  await target.getByRole('textbox', { name: 'Restart command' }).fill('/opt/jetty/bin/jetty.sh\nrestart')
  await target.getByText('Overwriting and scripts').click()
  await target.getByLabel('Overwrite').press('Space')
  await choose('Before the first change', 'A script kept here')
  await target.getByRole('textbox', { name: 'Interpreter' }).fill('sh')
  await target.getByRole('textbox', { name: 'Script' }).fill('echo hello')
  await target.getByRole('button', { name: 'Add a jump host' }).click()
  const jump = target.getByRole('group', { name: 'Jump host 1' })
  await jump.getByRole('textbox', { name: 'Host', exact: true }).fill('gate.example')
  await jump.getByRole('textbox', { name: 'User' }).fill('hop')
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await target.getByText('must be an absolute path').waitFor()
  await target.getByRole('textbox', { name: 'Interpreter' }).fill('/bin/sh')
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await jump.getByText('is missing').waitFor()
  assert.equal(await jump.getByRole('textbox', { name: 'Private key' }).getAttribute('aria-invalid'), 'true')
  await shot('4-missing')
  await jump.getByRole('textbox', { name: 'Private key' }).fill('jump-secret')
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await page.getByRole('tab', { name: 'Configuration', exact: true }).waitFor()
}

async function seeWhatIsKept({ page, id, target, shot }: Scene): Promise<void> {
  await page.reload()
  for (const name of ['Password', 'Password of the keystore']) {
    const box = target.getByRole('textbox', { name, exact: true })
    assert.deepEqual([await box.inputValue(), await box.getAttribute('placeholder')], ['', 'Kept. Type to replace it.'])
  }
  assert.ok(!(await page.content()).includes('-secret'))
  await shot('5-kept')
  await target.getByRole('button', { name: 'Delete password of the keystore' }).click()
  await target.getByText('Deleted when you save.').waitFor()
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await target.getByRole('button', { name: 'Delete password of the keystore' }).waitFor({ state: 'detached' })
  const { body } = await callFromPage(page, 'GET', `/certificates/${id}`)
  const saved = (body as CertificateDetail).configuration?.targets[0]
  assert.deepEqual([saved?.secretsSet, saved?.overwrite, saved?.fields['restartCommand'], saved?.scripts?.before?.source], [['login.password', 'jumps.0.privateKey'], false, ['/opt/jetty/bin/jetty.sh', 'restart'], { from: 'platform', interpreter: '/bin/sh', text: 'echo hello' }])
}

async function confirmTheKey({ page, bot, id, target, shot }: Scene): Promise<void> {
  assert.equal((await callFromPage(page, 'POST', `/certificates/${id}/actions/initiate`, {})).status, 202)
  const task = await bot.answer(() => unknown('gate.example', 22, jumpPin))
  assert.equal((task.payload as { target: BotTarget }).target.serverType, 'jetty')
  const alert = page.getByRole('alert').filter({ hasText: 'A host key has to be confirmed' })
  await alert.getByText(jumpPin).waitFor()
  await alert.getByRole('button', { name: 'Confirm this key' }).click()
  const dialogue = page.getByRole('dialog', { name: 'Is this the key of gate.example?' })
  await dialogue.getByText('ssh-keygen -lf').waitFor()
  await shot('6-confirm')
  await page.keyboard.press('Enter')
  await alert.waitFor({ state: 'detached' })
  // The form that was open all the time must not put the old one back.
  const hostKey = target.getByRole('group', { name: 'Jump host 1' }).getByRole('textbox', { name: 'Host key' })
  await eventually(async () => await hostKey.inputValue() === jumpPin, { what: 'the confirmed key in the form' })
  await page.getByRole('tab', { name: 'Timeline' }).click()
  await page.getByText(`The key ${jumpPin} of gate.example:22 was confirmed`).waitFor()
}

test('a target on another machine: looked at, filled in, saved without showing its secrets, its host key confirmed', { timeout: 240_000 }, async (t) => {
  const scene = await openForm(t)
  await t.test('the fields of the way in come with it', () => fillTheWay(scene))
  await t.test('a look at the host asks about its key, then fills server type and fields', () => lookAtTheHost(scene))
  await t.test('what is missing or wrong is shown at its field', () => correctWhatIsWrong(scene))
  await t.test('secrets are kept and never shown; what is left alone stays', () => seeWhatIsKept(scene))
  await t.test('a host key that nobody confirmed is asked about where the problem is shown', () => confirmTheKey(scene))
  scene.assertClean()
})
