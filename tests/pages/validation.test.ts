import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import type { Action, Authority, CertificateDetail, ConfigurationInput, ResponseOf } from '@certloop/contract'
import { eventually, leftOut, selfSignedPair, startPebble } from '@certloop/test-kit'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'
import { joinWorking } from './working-bot.ts'

const names = ['hand.example.com', 'www.hand.example.com']
const slowMs = 60_000

/** An order that the first authority can not take and the second wants proven by hand, with its page open. */
async function openOrder(t: TestContext) {
  const ended = new AbortController()
  t.after(() => ended.abort()) // before the control plane goes
  const pebble = await startPebble(t)
  const plane = await startPlane(t, ['--outbound-allow', '127.0.0.0/8,private', '--dns-servers', pebble.challenges.dnsServer])
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const call = async <T>(method: string, path: string, body?: unknown) => {
    const answer = await callFromPage(page, method, path, body)
    assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`)
    return answer.body as T
  }
  const fields = { directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, termsAgreed: true, httpPort: pebble.httpPort, tlsPort: pebble.tlsPort }
  const first = await call<Authority>('POST', '/authorities', { name: 'First', kind: 'acme', fields: { ...fields, trustPem: (await selfSignedPair(['other'])).certPem } })
  const second = await call<Authority>('POST', '/authorities', { name: 'Second', kind: 'acme', fields })
  const { joinToken } = await call<ResponseOf<'createBot'>>('POST', '/bots', { name: 'web-1' })
  const bot = await joinWorking(plane.url, joinToken, ended.signal)
  const { id } = await call<CertificateDetail>('POST', '/certificates', { names })
  await call('PUT', `/certificates/${id}/configuration`, {
    complete: true, authorityId: first.id, fallbackAuthorityIds: [second.id], validation: { method: 'manual', place: 'file' },
    targets: [{ botId: bot.botId, serverType: 'nginx', fields: { configurationPath: '/etc/nginx/nginx.conf', certificatePath: '/etc/ssl/hand.crt', keyPath: '/etc/ssl/hand.key' } }],
    csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' },
    deployAfterRenewal: false, rollback: true, approval: 'automatic',
  } satisfies ConfigurationInput)
  const action = await call<Action>('POST', `/certificates/${id}/actions/order`, {})
  const [orderId] = await eventually(async () => {
    const { orderIds } = await call<Action>('GET', `/actions/${action.id}`)
    return orderIds.length > 0 ? orderIds : undefined
  }, { what: 'the order' })
  return { page, pebble, call, certificateId: id, orderId, assertClean }
}

/** What the page says has to be placed for a name. */
async function toPlace(page: Page, name: string): Promise<{ file: string; content: string }> {
  const one = page.getByRole('group', { name, exact: true })
  const part = (label: string) => one.locator('dt', { hasText: label }).locator('xpath=following-sibling::dd').innerText()
  return { file: (await part('File')).trim(), content: (await part('Content')).trim() }
}

test('a person sees first what to place, places it, has it looked for, and the order completes', { timeout: 180_000, skip: leftOut('pebble') }, async (t) => {
  const { page, pebble, certificateId, orderId, assertClean } = await openOrder(t)
  const group = (name: string) => page.getByRole('group', { name, exact: true })

  await t.test('the certificate says what is waited for, and leads to the order', async () => {
    await page.goto(`/certificates/${certificateId}`)
    const action = page.locator('[data-action]')
    await action.getByText('Place what the validations of the order say').waitFor({ timeout: slowMs })
    await action.getByRole('link', { name: 'Order' }).click()
    assert.equal(new URL(page.url()).pathname, `/orders/${orderId}`)
  })

  await t.test('instructions stand before all else; what was looked at beforehand is not taken for the proof', async () => {
    await page.getByText('2 proofs have to be placed by hand.').waitFor({ timeout: slowMs })
    assert.equal(await page.getByRole('region').first().getAttribute('aria-label'), 'Validation')
    for (const name of names) {
      await group(name).locator('[data-state="waiting"]').waitFor()
      const steps = group(name).getByRole('list', { name: `What to do for ${name}` }).getByRole('listitem')
      assert.match(await steps.first().innerText(), /make the file \.well-known\/acme-challenge\//)
      await group(name).getByRole('button', { name: 'Copy the content' }).waitFor()
      await group(name).getByRole('list', { name: `Looked at before the proof is placed: ${name}` }).waitFor()
    }
  })

  await t.test('a look shows what is missing', async () => {
    await page.getByRole('button', { name: 'Look now for hand.example.com', exact: true }).click()
    const seen = group('hand.example.com').getByRole('list', { name: 'Seen from outside: hand.example.com' })
    await seen.getByText('Not yet').first().waitFor()
    assert.match(await seen.innerText(), /answers 200 OK with nothing/)
  })

  await t.test('placed and looked for, each name goes on without loading the page again; then the order is complete', async () => {
    for (const name of names) {
      const { file, content } = await toPlace(page, name)
      await pebble.challenges.addHttp(file.split('/').at(-1) ?? '', content)
      await page.getByRole('button', { name: `Look now for ${name}`, exact: true }).click()
      await group(name).locator('[data-state="valid"]').waitFor({ timeout: slowMs })
    }
    await page.locator('h1 + [data-state="complete"]').waitFor({ timeout: slowMs })
    assert.equal(await page.getByText('to be placed by hand').count(), 0)
    assert.equal(await page.getByRole('button', { name: /^Look now/ }).count(), 0)
    assert.equal(await page.getByRole('region').first().getAttribute('aria-label'), 'What was asked for')
  })

  await t.test('whom it asked, and why it went on', async () => {
    const rows = page.getByRole('table', { name: 'Authorities asked' }).getByRole('row')
    assert.match(await rows.nth(1).innerText(), /First\s+Failed\s+.*not trusted/is)
    assert.match(await rows.nth(2).innerText(), /Second\s+Issued/i)
  })

  assertClean()
})
