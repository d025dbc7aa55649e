import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

interface Profile { name: string; revision: number; rules: { title: string; maximumValidityDays: number; names: { permitted: string[] } } }

test('a built-in profile is copied, changed and deleted; what others changed meanwhile is not lost', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const profiles = async () => (await callFromPage(page, 'GET', '/ca/profiles')).body as { items: Profile[] }
  const shop = async () => (await profiles()).items.find(({ name }) => name === 'shop-server')

  await t.test('a profile is told in plain words; a built-in one can not be deleted', async () => {
    await page.getByRole('link', { name: 'Built-in CA', exact: true }).click()
    await page.getByRole('link', { name: 'Profiles', exact: true }).click()
    await page.getByRole('table', { name: 'Profiles' }).getByRole('link', { name: 'TLS server', exact: true }).click()
    await page.getByText('90 days unless the request says less or more').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Delete' }).getAttribute('aria-disabled'), 'true')
    assert.equal(await page.getByRole('link', { name: 'Change' }).count(), 0)
  })

  await t.test('a copy that contradicts itself is refused at its field', async () => {
    await page.getByRole('link', { name: 'Copy', exact: true }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('shop-server')
    await page.getByRole('textbox', { name: 'Title' }).fill('Servers of the shop')
    await page.getByRole('textbox', { name: 'Greatest lifetime in days' }).fill('60')
    await page.getByRole('button', { name: 'Save profile' }).click()
    await page.getByRole('alert').waitFor()
    assert.equal(await page.getByRole('textbox', { name: 'Usual lifetime in days' }).getAttribute('aria-invalid'), 'true')
  })

  await t.test('a good copy is saved, with the range of names it is for', async () => {
    await page.getByRole('textbox', { name: 'Usual lifetime in days' }).fill('45')
    await page.getByRole('combobox', { name: 'Only within' }).or(page.getByRole('textbox', { name: 'Only within' })).fill('shop.example')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Save profile' }).click()
    await page.getByRole('heading', { name: 'Servers of the shop', level: 1 }).waitFor()
    await page.getByText('Only within shop.example.').waitFor()
    assert.deepEqual((await shop())?.rules.names.permitted, ['shop.example'])
  })

  await t.test('a change that somebody else overtook is said, and theirs is shown or replaced knowingly', async () => {
    await page.getByRole('link', { name: 'Change', exact: true }).click()
    await page.getByRole('textbox', { name: 'Title' }).fill('Mine')
    const before = await shop()
    assert.ok(before)
    assert.equal((await callFromPage(page, 'PUT', '/ca/profiles/shop-server', { rules: { ...before.rules, title: 'Theirs' }, revision: before.revision })).status, 200)
    await page.getByRole('button', { name: 'Save profile' }).click()
    await page.getByText('Somebody else changed this profile while you did').waitFor()
    assert.equal((await shop())?.rules.title, 'Theirs')
    await page.getByRole('button', { name: 'Show what they saved' }).click()
    await page.getByText('Somebody else changed this profile while you did').waitFor({ state: 'detached' })
    assert.equal(await page.getByRole('textbox', { name: 'Title' }).inputValue(), 'Theirs')
    await page.getByRole('textbox', { name: 'Title' }).fill('Both of us')
    await page.getByRole('button', { name: 'Save profile' }).click()
    await page.getByRole('heading', { name: 'Both of us', level: 1 }).waitFor()
  })

  await t.test('it is deleted after a question', async () => {
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('table', { name: 'Profiles' }).waitFor()
    assert.equal(await shop(), undefined)
  })

  assertClean()
})
