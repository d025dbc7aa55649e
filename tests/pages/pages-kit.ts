import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { startChromium, startProcess, tempFolder, type TestProcess } from '@certloop/test-kit'
import { buildPages } from '../../scripts/pages.ts'

const root = join(import.meta.dirname, '../..')
const startMs = 90_000
export const password = 'a long enough sentence'

export interface RunningPlane { url: string; oneTimePassword: string; process: TestProcess }

/** The real control plane on a free port with an empty data folder and without a bot. */
export async function startPlane(t: TestContext, more: readonly string[] = []): Promise<RunningPlane> {
  await buildPages()
  const data = await tempFolder(t, 'pages')
  const process_ = await startProcess(t, [process.execPath, join(root, 'apps/control-plane/src/main.ts'), '--data', data, '--port', '0', '--no-bot', ...more], { env: { DATABASE_URL: undefined } })
  const [, url = ''] = await process_.waitFor(/Certloop runs at (\S+)/, startMs)
  const [, oneTimePassword = ''] = await process_.waitFor(/One-time password:\s+(\S+)/, startMs)
  return { url, oneTimePassword, process: process_ }
}

export interface OpenPage {
  page: Page
  /** Fails when the page had an uncaught error or broke its content security policy. */
  assertClean(): void
}

/** A fresh Chromium window in Berlin, 1280 by 800. */
export async function openPage(t: TestContext, url: string): Promise<OpenPage> {
  const browser = await startChromium(t)
  const context = await browser.newContext({ baseURL: url, locale: 'en-GB', timezoneId: 'Europe/Berlin', viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
  page.on('console', (message) => { if (/Content Security Policy|Warning:|act\(|unique "key"/.test(message.text())) faults.push(message.text()) })
  await page.goto('/')
  return { page, assertClean: () => assert.deepEqual(faults, []) }
}

export async function signIn(page: Page, secret: string): Promise<void> {
  await page.getByRole('textbox', { name: 'User name' }).fill('admin')
  await page.getByRole('textbox', { name: 'Password' }).fill(secret)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Past the one-time password, to the certificates. */
export async function signInFirst(page: Page, plane: RunningPlane): Promise<void> {
  await signIn(page, plane.oneTimePassword)
  await choosePassword(page, plane.oneTimePassword, password)
  await page.getByRole('heading', { name: 'Certificates', level: 1 }).waitFor()
}

export async function choosePassword(page: Page, current: string, chosen: string): Promise<void> {
  await page.getByRole('textbox', { name: 'One-time password' }).fill(current)
  await page.getByRole('textbox', { name: 'New password', exact: true }).fill(chosen)
  await page.getByRole('textbox', { name: 'New password again' }).fill(chosen)
  await page.getByRole('button', { name: 'Change password' }).click()
}

/** Calls the API as the page would, with its session. @returns status and body */
export async function callFromPage(page: Page, method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  return page.evaluate(async ([m, p, b]) => {
    const response = await fetch(`/api/v1${p}`, { method: m, headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }, ...(b === undefined ? {} : { body: b }) })
    return { status: response.status, body: await response.json() as unknown }
  }, [method, path, body === undefined ? undefined : JSON.stringify(body)] as const)
}
