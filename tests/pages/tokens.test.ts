import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPage, signInFirst, startPlane } from './pages-kit.ts'

test('an API token is shown once, works, and is refused as soon as it is deleted', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  await page.getByRole('link', { name: 'API tokens', exact: true }).click()
  await page.getByRole('button', { name: 'Make a token' }).first().click()
  const dialogue = page.getByRole('dialog')
  await dialogue.getByLabel('Name').fill('laptop')
  await dialogue.getByRole('button', { name: 'Make token' }).click()
  const token = await dialogue.getByLabel('Token', { exact: true }).innerText()
  await dialogue.getByRole('button', { name: 'I have copied it' }).click()
  await dialogue.waitFor({ state: 'detached' })

  const ask = async () => (await fetch(`${plane.url}/api/v1/certificates`, { headers: { authorization: `Bearer ${token}` } })).status
  assert.equal(await ask(), 200)
  const row = page.getByRole('row', { name: /laptop/ })
  await row.waitFor()
  assert.equal((await page.content()).includes(token), false)

  await row.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await row.waitFor({ state: 'detached' })
  assert.equal(await ask(), 401)
  assertClean()
})
