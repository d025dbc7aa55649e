import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { requireTool, runProcess, tempFolder } from '@certloop/test-kit'
import { callFromPage, openPage, signInFirst, startPlane } from './pages-kit.ts'

const name = 'shop.pages.test'

/** A request made by openssl, its common name before the rest of the subject, as people write it. */
async function opensslCsr(t: TestContext): Promise<{ pem: string; derPath: string }> {
  const folder = await tempFolder(t, 'pages-csr')
  const [pemPath, derPath] = [join(folder, 'shop.csr'), join(folder, 'shop.der')]
  const openssl = requireTool('openssl')
  const made = await runProcess(t, [openssl, 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key.pem'), '-subj', `/CN=${name}/O=Shop`, '-addext', `subjectAltName=DNS:${name},DNS:www.${name}`, '-out', pemPath])
  assert.equal(made.code, 0, made.stderr)
  assert.equal((await runProcess(t, [openssl, 'req', '-in', pemPath, '-outform', 'DER', '-out', derPath])).code, 0)
  return { pem: await readFile(pemPath, 'utf8'), derPath }
}

async function downloaded(page: Page, button: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).first().click()])
  return readFile(await download.path())
}

test('a certificate is issued for a CSR of openssl and downloaded', { timeout: 180_000 }, async (t) => {
  const csr = await opensslCsr(t)
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)

  await t.test('what is no request is refused with a remedy; nothing can be issued for it', async () => {
    await page.getByRole('link', { name: 'Built-in CA', exact: true }).click()
    await page.getByRole('link', { name: 'Issued certificates', exact: true }).click()
    await page.getByRole('link', { name: 'Issue from a CSR' }).click()
    await page.getByRole('textbox', { name: 'CSR' }).fill('not a request')
    const alert = page.getByRole('alert')
    await alert.waitFor()
    assert.equal(await alert.getAttribute('data-code'), 'CSR_INVALID')
    assert.equal(await page.getByRole('button', { name: 'Issue', exact: true }).getAttribute('aria-disabled'), 'true')
    await page.getByRole('button', { name: 'Clear: CSR' }).click()
  })

  await t.test('a DER file is read back into fields at once', async () => {
    await page.locator('input[type="file"]').setInputFiles(csr.derPath)
    const asks = page.getByRole('region', { name: 'What it asks for' })
    await asks.getByText(`www.${name}`).waitFor()
    await asks.getByText('Organisation: Shop').waitFor()
    await asks.getByText('EC P-256').waitFor()
    assert.equal(await asks.getByText('Challenge password').count(), 0)
    assert.match(await page.getByRole('textbox', { name: 'CSR' }).inputValue(), /^-----BEGIN CERTIFICATE REQUEST-----\n/)
  })

  await t.test('what the profile does not allow is said where it is', async () => {
    await page.getByRole('combobox', { name: 'Profile' }).click()
    await page.getByRole('option', { name: 'Code signing' }).click()
    await page.getByRole('region', { name: 'What the profile allows' }).getByText('None: the subject says whom it is for.').waitFor()
    await page.getByRole('button', { name: 'Issue', exact: true }).click()
    await page.getByRole('alert').and(page.locator('[data-code="PROFILE_VIOLATION"]')).waitFor()
    await page.getByRole('combobox', { name: 'Profile' }).click()
    await page.getByRole('option', { name: 'TLS server', exact: true }).click()
  })

  await t.test('it is issued with the lifetime asked for, and downloaded as PEM, DER and with its chain', async () => {
    await page.getByRole('textbox', { name: 'CSR' }).fill(csr.pem)
    await page.getByRole('textbox', { name: 'Lifetime in days' }).fill('30')
    await page.getByRole('button', { name: 'Issue', exact: true }).click()
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    const leaf = new X509Certificate(await downloaded(page, `Download ${name} as DER`))
    assert.match(leaf.subject, /O=Shop/)
    assert.equal(leaf.subjectAltName, `DNS:${name}, DNS:www.${name}`)
    assert.equal(Math.round((leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 86_400_000), 30)
    assert.equal(new X509Certificate(await downloaded(page, `Download ${name} as PEM`)).fingerprint256, leaf.fingerprint256)
    const chain = (await downloaded(page, `Download ${name} with its chain`)).toString().match(/-----BEGIN/g)
    assert.equal(chain?.length, 2)
  })

  assertClean()
})

test('an issued certificate is suspended, resumed, revoked and found again', { timeout: 180_000 }, async (t) => {
  const csr = await opensslCsr(t)
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  const issued = await callFromPage(page, 'POST', '/ca/certificates', { csrPem: csr.pem, profile: 'server' }) as { status: number; body: { id: string; serialNumber: string } }
  assert.equal(issued.status, 201)
  await page.goto(`/built-in-ca/certificates/${issued.body.id}`)
  const table = page.getByRole('table', { name: 'Issued certificates' })

  await t.test('it is suspended and resumed', async () => {
    await page.getByRole('button', { name: 'Suspend', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click()
    await page.locator('[data-state="held"]').waitFor()
    await page.getByRole('button', { name: 'Resume', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click()
    await page.locator('[data-state="good"]').waitFor()
  })

  await t.test('it is revoked with a reason and the time since when the key is lost; that is for ever', async () => {
    await page.getByRole('button', { name: 'Revoke', exact: true }).click()
    const dialogue = page.getByRole('dialog')
    await dialogue.getByText('This is for ever').waitFor()
    assert.equal(await dialogue.getByRole('button', { name: 'Revoke for ever' }).isDisabled(), true)
    await dialogue.getByRole('radio', { name: 'Private key compromised' }).check()
    await dialogue.getByLabel('The key is in other hands since').fill('2099-01-01T10:00')
    await dialogue.getByRole('button', { name: 'Revoke for ever' }).click()
    await dialogue.getByRole('alert').and(page.locator('[data-code="INPUT_INVALID"]')).waitFor()
    assert.equal(await dialogue.getByLabel('The key is in other hands since').getAttribute('aria-invalid'), 'true')
    await dialogue.getByLabel('The key is in other hands since').fill('2026-01-15T10:00')
    await dialogue.getByRole('button', { name: 'Revoke for ever' }).click()
    await dialogue.waitFor({ state: 'detached' })
    await page.getByText('Reason: Private key compromised').waitFor()
    // Berlin in winter is an hour ahead of UTC.
    assert.equal(await page.getByText('Its key is in other hands since').locator('time').nth(0).getAttribute('title'), '2026-01-15 09:00:00.000 UTC')
    for (const label of ['Suspend', 'Add key compromise']) assert.equal(await page.getByRole('button', { name: label }).getAttribute('aria-disabled'), 'true')
  })

  await t.test('the list is searched by name, subject and serial number, and filtered by status and issuer', async () => {
    await page.getByRole('link', { name: 'Issued certificates', exact: true }).first().click()
    const search = page.getByRole('searchbox', { name: 'Name, subject or serial' })
    for (const text of [`www.${name}`, 'O=Shop', issued.body.serialNumber]) {
      await search.fill(text)
      await page.waitForURL((url) => url.searchParams.get('search') === text)
      // The list of the search before stays until the answer is there.
      await table.getByRole('row').nth(2).waitFor({ state: 'detached' })
      await table.getByRole('link', { name }).waitFor()
      assert.equal(await table.getByRole('row').count(), 2, text)
    }
    await page.getByRole('combobox', { name: 'Status' }).click()
    await page.getByRole('option', { name: 'Good' }).click()
    await page.getByText('No certificate fits').waitFor()
    await page.getByRole('combobox', { name: 'Status' }).click()
    await page.getByRole('option', { name: 'Revoked' }).click()
    await table.getByText('Private key compromised').waitFor()
    await page.getByRole('link', { name: 'Built-in CA', exact: true }).click()
    await page.getByRole('link', { name: /Certloop Root CA/ }).click()
    await page.getByRole('link', { name: 'What it issued' }).click()
    await table.getByRole('link', { name: /Certloop Issuing CA/ }).waitFor()
    await table.getByRole('row').nth(2).waitFor({ state: 'detached' })
    assert.equal(await table.getByRole('row').count(), 2)
  })

  assertClean()
})
