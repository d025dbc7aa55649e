import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

test('who may only look at the built-in CA sees why nothing can be changed', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const { body } = await callFromPage(page, 'POST', '/api-tokens', { name: 'onlooker', permissions: ['certificate:read', 'ca:read'] }) as { body: { token: string } }
  // From here on the pages are those of the token: the same session call tells them what it may do.
  await page.context().clearCookies()
  await page.context().setExtraHTTPHeaders({ authorization: `Bearer ${body.token}` })
  await page.goto('/built-in-ca')

  await t.test('nothing can be made, and the reason is there', async () => {
    await page.getByText('You may look, not change: that takes the right ca:write.').waitFor()
    for (const name of ['Make an issuer', 'Import a CA']) assert.equal(await page.getByRole('link', { name }).count(), 0, name)
    await page.goto('/built-in-ca/make')
    await page.getByText('Ask an administrator for the right ca:write.').waitFor()
    await page.goto('/built-in-ca/issue')
    await page.getByText('Ask an administrator for the right ca:issue.').waitFor()
  })

  await t.test('the actions of an issuer say why they do nothing', async () => {
    await page.goto('/built-in-ca')
    await page.getByRole('link', { name: /Certloop Issuing CA/ }).click()
    const rollOver = page.getByRole('button', { name: 'Roll over' })
    await rollOver.waitFor()
    for (const name of ['Roll over', 'Cross-sign', 'Publish lists now', 'Retire']) assert.equal(await page.getByRole('button', { name }).getAttribute('aria-disabled'), 'true', name)
    await page.keyboard.press('Tab') // what is focused by keyboard says why
    await rollOver.focus()
    await page.getByRole('tooltip', { name: /right ca:write/ }).waitFor()
    await page.keyboard.press('Enter')
    assert.equal(await page.getByRole('dialog').count(), 0)
    assert.equal(await page.getByRole('textbox', { name: 'A list is valid for' }).isDisabled(), true)
  })

  await t.test('what was issued is shown and can not be revoked', async () => {
    await page.goto('/built-in-ca/certificates')
    await page.getByRole('table', { name: 'Issued certificates' }).getByRole('link').first().click()
    const revoke = page.getByRole('button', { name: 'Revoke' })
    await revoke.waitFor()
    assert.equal(await revoke.getAttribute('aria-disabled'), 'true')
    await page.keyboard.press('Tab')
    await revoke.focus()
    await page.getByRole('tooltip', { name: /right ca:revoke/ }).waitFor()
  })

  assertClean()
})
