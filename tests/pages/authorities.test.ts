import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Authority, CertificateDetail, ConfigurationInput } from '@certloop/contract'
import { generateKey } from '@certloop/pki'
import { leftOut, selfSignedPair, startPebble } from '@certloop/test-kit'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

async function openAuthorities(t: TestContext) {
  const plane = await startPlane(t, ['--outbound-allow', '127.0.0.0/8,private'])
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  await page.getByRole('link', { name: 'Authorities', exact: true }).click()
  const save = () => page.getByRole('button', { name: 'Save and test' }).click()
  const fact = (label: string) => page.locator('dt', { hasText: label }).locator('xpath=following-sibling::dd')
  return { page, save, fact, assertClean }
}

test('an ACME authority is added by its form: a refused field, a wrong trust anchor, its test, its secrets, its end', { timeout: 180_000, skip: leftOut('pebble') }, async (t) => {
  const pebble = await startPebble(t)
  const { page, save, fact, assertClean } = await openAuthorities(t)
  const box = (name: string) => page.getByRole('textbox', { name, exact: true })

  await t.test('what does not fit is said at its field, which gets the focus; nothing is saved', async () => {
    await page.getByRole('link', { name: 'Add an authority' }).click()
    const choice = page.getByRole('combobox', { name: 'Authority' })
    await choice.fill('Buypass')
    assert.equal(await page.getByRole('option', { name: 'Buypass Go SSL (ended)' }).getAttribute('data-combobox-disabled'), 'true')
    await choice.fill('Another')
    await page.getByRole('option').click() // one alone
    assert.equal(await box('Name').inputValue(), '')
    await box('Name').fill('Company ACME')
    await box('Directory').fill('http://127.0.0.1/dir')
    await save()
    const refusal = page.getByRole('alert')
    await refusal.getByText('Directory: has to be an address that begins with https://').waitFor()
    assert.equal(await box('Directory').evaluate((element) => element === document.activeElement), true)
    assert.equal(((await callFromPage(page, 'GET', '/authorities')).body as { items: Authority[] }).items.length, 1)
  })

  await t.test('it is kept though its test fails, which says why in words of our own', async () => {
    await box('Directory').fill(pebble.directoryUrl)
    await box('Trust anchor').fill((await selfSignedPair(['somebody else'])).certPem)
    await save()
    await page.getByRole('heading', { name: 'Company ACME', level: 1 }).waitFor()
    await page.locator('h1 + [data-state="failing"]').waitFor()
    const steps = page.getByRole('table', { name: 'Steps of the last test' })
    assert.match(await steps.innerText(), /Failed\s*Address and TLS certificate/)
    const alert = page.locator('[data-code="AUTHORITY_NOT_TRUSTED"]')
    await alert.getByText('put its root certificate into the fields').waitFor()
    assert.match(await alert.innerText(), /shows a TLS certificate that is not trusted: [\w -]+\./)
    assert.doesNotMatch(await alert.innerText(), /Node\.js/)
  })

  await t.test('put right, it works; what it holds is under the labels of the form, with secrets only named', async () => {
    await page.getByRole('link', { name: 'Change', exact: true }).click()
    await box('Trust anchor').fill(pebble.trustPem)
    await page.getByRole('switch', { name: 'Terms of service agreed to' }).check({ force: true })
    const key = await generateKey('ec-256')
    await box('Key of an existing account').fill(key)
    assert.equal(await box('Key of an existing account').inputValue(), key, 'lines of a key stay lines')
    await save()
    await fact('Secrets kept').getByText('Key of an existing account').waitFor()
    assert.equal((await page.content()).includes(key.split('\n')[1] ?? '-'), false)

    await page.getByRole('link', { name: 'Change', exact: true }).click()
    await page.getByText('One is kept; it is never shown.').waitFor()
    await page.getByRole('button', { name: 'Delete key of an existing account' }).click()
    await page.getByText('Deleted when you save.').waitFor()
    await save()
    await fact('Secrets kept').waitFor({ state: 'detached' })
    await page.locator('h1 + [data-state="ok"]').waitFor()
    assert.equal(await fact('Terms of service agreed to').innerText(), 'Yes')
    assert.match(await fact('ACME account').innerText(), /my-account/)
  })

  await t.test('it is not deleted while a configuration names it, and says which', async () => {
    const { id } = (await callFromPage(page, 'POST', '/certificates', { names: ['shop.example.com'] })).body as CertificateDetail
    const authorityId = page.url().split('/').at(-1) as Authority['id']
    const configure = (chosen: Authority['id'] | null) => callFromPage(page, 'PUT', `/certificates/${id}/configuration`, {
      complete: false, authorityId: chosen, targets: [], csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null },
      renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' }, deployAfterRenewal: true, rollback: true, approval: 'automatic',
    } satisfies ConfigurationInput)
    assert.equal((await configure(authorityId)).status, 200)
    const dialogue = page.getByRole('dialog')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await dialogue.getByRole('button', { name: 'Delete', exact: true }).click()
    await dialogue.getByRole('alert').getByText('shop.example.com').waitFor()
    assert.equal((await configure(null)).status, 200)
    await dialogue.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('table', { name: 'Authorities' }).waitFor()
    assert.equal(await page.getByRole('link', { name: 'Company ACME' }).count(), 0)
  })

  assertClean()
})
