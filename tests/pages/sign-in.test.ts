import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choosePassword, openPage, password, signIn, startPlane } from './pages-kit.ts'

test('the first administrator signs in, has to choose a password, signs out and in again', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)

  await t.test('a wrong password is refused with cause and remedy', async () => {
    await signIn(page, 'not the password')
    const alert = page.getByRole('alert')
    await alert.getByText('User name or password is wrong.').first().waitFor()
    assert.match(await alert.innerText(), /What to do:.*administrator/)
  })

  await t.test('the one-time password opens nothing but the choice of another', async () => {
    await signIn(page, plane.oneTimePassword)
    await page.getByRole('heading', { name: 'Choose a password of your own' }).waitFor()
    await page.goto('/bots')
    await page.getByRole('heading', { name: 'Choose a password of your own' }).waitFor()
    assert.equal(await page.getByRole('link', { name: 'Certificates' }).count(), 0)
  })

  await t.test('an easy password is refused, at its field', async () => {
    await choosePassword(page, plane.oneTimePassword, 'short')
    await page.getByRole('alert').getByText('at least 12 characters').first().waitFor()
  })

  await t.test('a good one leads to the page first asked for', async () => {
    await choosePassword(page, plane.oneTimePassword, password)
    await page.getByRole('heading', { name: 'Bots', level: 1 }).waitFor()
    await page.getByText('No bots yet').waitFor()
  })

  await t.test('the menu says who is signed in, and signs out', async () => {
    await page.getByRole('button', { name: 'admin', exact: true }).click()
    await page.getByText('Signed in as admin').waitFor()
    await page.getByText('Role: administrator').waitFor()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.goto('/certificates')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })

  await t.test('the new password works, by keyboard alone', async () => {
    await page.getByRole('textbox', { name: 'User name' }).focus()
    await page.keyboard.type('admin')
    await page.keyboard.press('Tab')
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Certificates', level: 1 }).waitFor()
    await page.getByText('No certificates yet').waitFor()
  })

  assertClean()
})
