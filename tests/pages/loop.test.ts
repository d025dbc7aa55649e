import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { Page } from 'playwright-core'
import { eventually, leftOut, runProcess, selfSignedPair, startNginx, startProcess, tempFolder, writePair } from '@certloop/test-kit'
import { openPage, signInFirst, startPlane } from './pages-kit.ts'

const botMain = join(import.meta.dirname, '../../apps/bot/src/main.ts')
const name = 'shop.pages.test'
const slowMs = 90_000

async function startShop(t: TestContext) {
  const folder = await tempFolder(t, 'pages-nginx')
  const old = await writePair(folder, 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: old.certPath, keyPath: old.keyPath }] })
  return { port: nginx.ports[0] ?? 0, certPath: old.certPath }
}

/** SHA-256 of the leaf served, lower-case hex. */
function servedFingerprint(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: name, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase())
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** Announces a bot in the page and makes this host that bot, with the token shown there. */
async function addBot(t: TestContext, page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Bots', exact: true }).click()
  await page.getByRole('button', { name: 'Add bot' }).first().click()
  const dialogue = page.getByRole('dialog')
  await dialogue.getByRole('textbox', { name: 'Name' }).fill('web-1')
  await dialogue.getByRole('button', { name: 'Make join command' }).click()
  const command = await dialogue.getByLabel('Join command').innerText()
  const [token = ''] = /clj1\.[\w-]+/.exec(command) ?? []
  assert.notEqual(token, '', command)
  await dialogue.getByText('Waiting for the bot to join').waitFor()
  assert.match(await dialogue.locator('time').first().innerText(), /in \d+ (hours|minutes)|tomorrow/)

  const data = await tempFolder(t, 'pages-bot')
  const joined = await runProcess(t, [process.execPath, botMain, 'join', token, '--data', data])
  assert.equal(joined.code, 0, joined.stderr)
  await dialogue.getByText('web-1 has joined').waitFor()
  await startProcess(t, [process.execPath, botMain, 'run', '--data', data])
  await dialogue.getByRole('link', { name: 'Show the bot' }).click()
}

async function rotate(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Rotate', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}

test('a bot is added, its nginx found, and the certificate taken under care, rotated and proven, all in the pages', { timeout: 400_000, skip: leftOut('nginx') }, async (t) => {
  const shop = await startShop(t)
  const before = await servedFingerprint(shop.port)
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  await addBot(t, page)

  await t.test('the certificate in use is found and taken under care, its details filled in', async () => {
    const slot = page.getByRole('row').filter({ hasText: shop.certPath })
    await slot.getByRole('button', { name: 'Take under care' }).click({ timeout: slowMs })
    const heading = page.getByRole('heading', { name, level: 1 })
    // Other servers of the machine may have problems of their own on the page before.
    await heading.waitFor({ timeout: slowMs })
    assert.equal(await heading.count(), 1, await page.getByRole('main').innerText())
    assert.equal(await page.getByRole('textbox', { name: 'Certificate file' }).inputValue(), shop.certPath)
    await page.getByRole('button', { name: 'Save configuration' }).click()
    await page.getByRole('tab', { name: 'Configuration', exact: true }).waitFor()
  })

  await t.test('a rotation ends deployed and in sync, and is really served', async () => {
    await page.getByRole('tab', { name: 'Overview' }).click()
    await rotate(page)
    await page.locator('[data-action="done"]').waitFor({ timeout: slowMs })
    await page.locator('[data-state="deployed"]').first().waitFor({ timeout: slowMs })
    await page.locator('[data-state="in-sync"]').first().waitFor({ timeout: slowMs })
    const now = await servedFingerprint(shop.port)
    assert.notEqual(now, before)
    await page.getByRole('button', { name: new RegExp(`${now.slice(0, 16)}.*Current`) }).click()
    await page.getByRole('group', { name: 'At the built-in CA' }).locator('[data-state="good"]').waitFor()
  })

  await t.test('the deployment shows its plan, its proof and its log', async () => {
    await page.locator('[data-action]').getByRole('link', { name: 'Deployment' }).click()
    await page.getByText(`Replace the certificate and its chain in ${shop.certPath}`).first().waitFor()
    await page.getByRole('table', { name: 'Proof' }).getByText('As expected').first().waitFor()
    await page.getByRole('table', { name: 'Log' }).getByText(/\d ms|\d s/).first().waitFor()
  })

  await t.test('with approval by a person, the plan waits until it is approved', async () => {
    const served = await servedFingerprint(shop.port)
    await page.getByRole('link', { name, exact: true }).first().click()
    await page.getByRole('tab', { name: 'Configuration' }).click()
    await page.getByRole('radio', { name: /By a person/ }).check()
    await page.getByRole('button', { name: 'Save configuration' }).click()
    await page.getByText('You have changes that are not saved.').waitFor({ state: 'detached' })
    await rotate(page)
    await page.locator('[data-action] [data-state="planned"]').waitFor({ timeout: slowMs })
    assert.equal(await servedFingerprint(shop.port), served)

    await page.locator('[data-action]').getByRole('link', { name: 'Deployment' }).click()
    await page.getByRole('button', { name: 'Approve plan' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Approve plan' }).click()
    await page.locator('[data-state="deployed"]').first().waitFor({ timeout: slowMs })
    await eventually(async () => await servedFingerprint(shop.port) !== served, { what: 'the new certificate being served' })
  })

  await t.test('a version is revoked from its certificate, which shows it', async () => {
    await page.getByRole('link', { name, exact: true }).first().click()
    await page.getByRole('tab', { name: 'Overview' }).click()
    const version = page.getByRole('group', { name: 'At the built-in CA' }).first()
    await version.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('radio', { name: 'Private key compromised' }).check()
    await page.getByRole('button', { name: 'Revoke for ever' }).click()
    await version.locator('[data-state="revoked"]').waitFor()
    await page.locator('h1 + [data-state="revoked"]').waitFor()
    await page.getByRole('link', { name: 'Certificates', exact: true }).first().click()
    await page.getByRole('table', { name: 'Certificates' }).locator('[data-state="revoked"]').waitFor()
  })

  assertClean()
})
