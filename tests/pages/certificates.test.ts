import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

test('a certificate is added and configured; wrong input is shown where it is', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)

  await t.test('a bad name is refused at its field, with cause and remedy', async () => {
    await page.getByRole('button', { name: 'Add certificate' }).first().click()
    const dialogue = page.getByRole('dialog')
    await dialogue.getByRole('textbox', { name: 'Names' }).fill('two words.example')
    await dialogue.getByRole('button', { name: 'Add certificate' }).click()
    const alert = dialogue.getByRole('alert')
    await alert.waitFor()
    assert.equal(await alert.getAttribute('data-code'), 'NAME_INVALID')
    assert.match(await alert.innerText(), /What to do:[^]*Where:/)
    assert.equal(await dialogue.getByRole('textbox', { name: 'Names' }).getAttribute('aria-invalid'), 'true')
  })

  await t.test('a good one leads to its configuration', async () => {
    const dialogue = page.getByRole('dialog')
    await dialogue.getByRole('textbox', { name: 'Names' }).fill('shop.example.com\nwww.shop.example.com')
    await dialogue.getByRole('button', { name: 'Add certificate' }).click()
    await page.getByRole('heading', { name: 'shop.example.com', level: 1 }).waitFor()
    await page.getByRole('region', { name: '5. Schedule' }).waitFor()
    await page.getByText('None needed: Built-in CA issues').waitFor()
  })

  await t.test('a draft with wrong names is refused at the names; nothing is saved', async () => {
    await page.getByRole('textbox', { name: 'Names' }).fill('*.*.example.com')
    await page.getByRole('button', { name: 'Save as draft' }).click()
    await page.getByRole('alert').waitFor()
    const names = page.getByRole('textbox', { name: 'Names' })
    assert.equal(await names.getAttribute('aria-invalid'), 'true')
    assert.equal(await names.evaluate((element) => element === document.activeElement), true)
    await page.getByRole('tab', { name: 'Configuration (none yet)' }).waitFor()
  })

  await t.test('a draft is kept as one, a complete configuration counts as complete', async () => {
    await page.getByRole('textbox', { name: 'Names' }).fill('shop.example.com\nwww.shop.example.com')
    await page.getByRole('button', { name: 'Save as draft' }).click()
    await page.getByRole('tab', { name: 'Configuration (draft)' }).waitFor()
    await page.getByLabel('Days before expiry').fill('21')
    await page.getByText('You have changes that are not saved.').waitFor()
    await page.getByRole('button', { name: 'Save configuration' }).click()
    await page.getByRole('tab', { name: 'Configuration', exact: true }).waitFor()
    await page.reload()
    assert.equal(await page.getByLabel('Days before expiry').inputValue(), '21')
    assert.equal(await page.getByRole('textbox', { name: 'Names' }).inputValue(), 'shop.example.com\nwww.shop.example.com')
  })

  await t.test('an action that is not possible says why, to keyboard users too', async () => {
    const deploy = page.getByRole('button', { name: 'Deploy', exact: true })
    assert.equal(await deploy.getAttribute('aria-disabled'), 'true')
    await page.getByRole('button', { name: 'Order', exact: true }).focus()
    await page.keyboard.press('Tab')
    const reason = page.getByRole('tooltip', { name: /names no deployment target/ })
    await reason.first().waitFor()
    assert.equal(await deploy.evaluate((element) => element === document.activeElement), true)
    await page.keyboard.press('Enter')
    assert.equal(await page.getByRole('dialog').count(), 0)
  })

  await t.test('the timeline has what was done, with times in the zone of the reader and exact UTC', async () => {
    await page.getByRole('tab', { name: 'Timeline' }).click()
    await page.getByText('The configuration was saved.', { exact: true }).waitFor()
    const time = page.locator('time').first()
    assert.match(await time.innerText(), /CES?T/)
    assert.match(await time.getAttribute('title') ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/)
  })

  assertClean()
})

test('the list follows what others do, is searched, and says when the connection is lost', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const table = page.getByRole('table', { name: 'Certificates' })

  await t.test('what others add shows without loading again', async () => {
    await page.getByText('Live updates: Live').waitFor()
    await page.getByText('No certificates yet').waitFor()
    for (const name of ['shop.example.com', 'other.example.net']) assert.equal((await callFromPage(page, 'POST', '/certificates', { names: [name] })).status, 201)
    await table.getByRole('link', { name: 'shop.example.com', exact: true }).waitFor()
    await table.getByRole('link', { name: 'other.example.net' }).waitFor()
  })

  await t.test('search and status narrow the list, and stay in the address', async () => {
    await page.getByRole('searchbox', { name: 'Search names' }).fill('other')
    await table.getByRole('link', { name: 'shop.example.com', exact: true }).waitFor({ state: 'detached' })
    assert.equal(await table.getByRole('link', { name: 'other.example.net' }).count(), 1)
    await page.waitForURL(/search=other/)
    await page.getByRole('searchbox', { name: 'Search names' }).fill('nothing like it')
    await page.getByText('No certificate fits').waitFor()
    await page.getByRole('link', { name: 'Show all' }).click()
    await table.getByRole('link', { name: 'shop.example.com', exact: true }).waitFor()
  })

  await t.test('a lost connection is shown', async () => {
    plane.process.kill('SIGKILL')
    await page.getByText('No connection for live updates').waitFor()
    await page.getByText('Connection lost').waitFor()
  })

  assertClean()
})
