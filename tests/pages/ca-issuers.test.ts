import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { requireTool, runProcess, tempFolder } from '@certloop/test-kit'
import { openPage, signInFirst, startPlane } from './pages-kit.ts'

/** Runs openssl in a folder. */
async function openssl(t: TestContext, folder: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await runProcess(t, [requireTool('openssl'), ...args], { cwd: folder })
  assert.equal(code, 0, stderr)
}

/** A root of another company, by openssl: root.pem and root.key. */
async function outsideRoot(t: TestContext): Promise<string> {
  const folder = await tempFolder(t, 'pages-ca')
  await writeFile(join(folder, 'ca.ext'), 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n')
  await openssl(t, folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/O=Company/CN=Company Root', '-days', '3650', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
  return folder
}

async function toIssuers(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Built-in CA', exact: true }).first().click()
  await page.getByRole('table', { name: 'Issuers' }).waitFor()
}

const issuerRow = (page: Page, name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

async function confirm(page: Page, label: string): Promise<void> {
  await page.getByRole('button', { name: label, exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: label }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}

test('issuers are made, put into use, rolled over and retired', { timeout: 240_000 }, async (t) => {
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  await toIssuers(page)

  await t.test('wrong constraints are refused at their place; a good intermediate is made below the root', async () => {
    await page.getByRole('link', { name: 'Make an issuer' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Shop CA')
    await page.getByRole('button', { name: 'Add an attribute' }).click()
    await page.getByRole('textbox', { name: 'Organisation' }).fill('Shop')
    await page.getByRole('button', { name: 'Add a constraint' }).click()
    await page.getByRole('textbox', { name: 'Constraint 1', exact: true }).fill('Not A Name')
    await page.getByRole('button', { name: 'Make the intermediate' }).click()
    await page.getByText('"Not A Name" is no name in lower case').first().waitFor()
    await page.getByRole('textbox', { name: 'Constraint 1', exact: true }).fill('shop.example')
    await page.getByRole('button', { name: 'Make the intermediate' }).click()
    await page.getByRole('heading', { name: 'Shop CA', level: 1 }).waitFor()
    await page.getByText('DNS: shop.example').waitFor()
    await page.getByText(/^(CN=Shop CA,O=Shop|O=Shop,CN=Shop CA)$/).first().waitFor()
    await page.getByText('CERTLOOP_PKI_URL').waitFor()
    await page.getByRole('table', { name: 'Revocation lists' }).getByText('Full list').waitFor()
  })

  await t.test('its name is taken from then on', async () => {
    await page.goto('/built-in-ca/make')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Shop CA')
    await page.getByRole('button', { name: 'Make the intermediate' }).click()
    await page.getByRole('alert').waitFor()
    assert.equal(await page.getByRole('textbox', { name: 'Name', exact: true }).getAttribute('aria-invalid'), 'true')
  })

  await t.test('activated it is the one in use, and the one before is retired', async () => {
    await toIssuers(page)
    await page.getByRole('link', { name: 'Shop CA' }).click()
    await confirm(page, 'Activate')
    await page.getByText('In use: signs what names no other issuer').first().waitFor()
    const retire = page.getByRole('button', { name: 'Retire' })
    assert.equal(await retire.getAttribute('aria-disabled'), 'true')
    await toIssuers(page)
    await page.getByRole('row', { name: /Certloop Issuing CA/ }).locator('[data-state="retired"]').waitFor()
  })

  await t.test('rolled over later, the new one waits until it is activated', async () => {
    await page.getByRole('link', { name: 'Shop CA' }).click()
    await page.getByRole('button', { name: 'Roll over' }).click()
    await page.getByRole('radio', { name: 'Later, when I activate it' }).check()
    await page.getByRole('dialog').getByRole('button', { name: 'Roll over' }).click()
    await page.getByRole('heading', { name: /^Shop CA G\d+$/, level: 1 }).waitFor()
    await toIssuers(page)
    await issuerRow(page, 'Shop CA').getByText('In use', { exact: true }).waitFor()
    await page.getByRole('link', { name: /^Shop CA G/ }).click()
    await confirm(page, 'Activate')
    await toIssuers(page)
    await issuerRow(page, 'Shop CA').locator('[data-state="retired"]').waitFor()
  })

  await t.test('how it publishes is changed, and its lists are made anew', async () => {
    await page.getByRole('link', { name: /^Shop CA G/ }).click()
    await page.getByRole('textbox', { name: 'A list is valid for' }).fill('24')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('Valid for 24 hours each').waitFor()
    await page.getByRole('button', { name: 'Publish lists now' }).click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: /^Download iss_.*\.crl$/ }).click()])
    assert.equal((await readFile(await download.path()))[0], 0x30)
  })

  await t.test('on a narrow screen no page sticks out', async () => {
    const issuer = new URL(page.url()).pathname
    await page.setViewportSize({ width: 390, height: 844 })
    for (const path of [issuer, '/built-in-ca', '/built-in-ca/make', '/built-in-ca/import', '/built-in-ca/certificates', '/built-in-ca/issue', '/built-in-ca/profiles', '/built-in-ca/profiles/server', '/built-in-ca/profiles/server?view=copy']) {
      await page.goto(path)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.getByLabel('Loading').first().waitFor({ state: 'detached' })
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, path)
    }
  })

  assertClean()
})

test('a CA is signed outside, another is imported from a keystore, and one certifies the other', { timeout: 240_000 }, async (t) => {
  const folder = await outsideRoot(t)
  const plane = await startPlane(t)
  const { page, assertClean } = await openPage(t, plane.url)
  await signInFirst(page, plane)
  await toIssuers(page)

  await t.test('one to be signed outside gives its request, and waits', async () => {
    await page.getByRole('link', { name: 'Make an issuer' }).click()
    await page.getByRole('radio', { name: 'An intermediate, signed outside' }).check()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Branch CA')
    await page.getByRole('button', { name: 'Make the key and the request' }).click()
    await page.getByRole('heading', { name: 'Branch CA', level: 1 }).waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the request' }).click()])
    assert.equal(download.suggestedFilename(), 'branch-ca.csr')
    await download.saveAs(join(folder, 'branch.csr'))
    assert.equal(await page.getByRole('button', { name: 'Activate' }).getAttribute('aria-disabled'), 'true')
  })

  await t.test('a certificate of another key is refused; the right one is installed, with the root above it', async () => {
    await page.getByRole('textbox', { name: 'Its certificate and those above it' }).fill(await readFile(join(folder, 'root.pem'), 'utf8'))
    await page.getByRole('button', { name: 'Install', exact: true }).click()
    await page.getByRole('alert').and(page.locator('[data-code="ISSUER_MISMATCH"]')).waitFor()
    await openssl(t, folder, 'x509', '-req', '-in', 'branch.csr', '-CA', 'root.pem', '-CAkey', 'root.key', '-CAcreateserial', '-days', '1000', '-extfile', 'ca.ext', '-out', 'branch.pem')
    await page.getByRole('textbox', { name: 'Its certificate and those above it' }).fill(await readFile(join(folder, 'root.pem'), 'utf8') + await readFile(join(folder, 'branch.pem'), 'utf8'))
    await page.getByRole('button', { name: 'Install', exact: true }).click()
    await page.getByText('Signed by Company Root, outside').waitFor()
    await page.locator('[data-state="active"]').first().waitFor()
    await toIssuers(page)
    await page.getByText('A CA outside; it signed what stands below').waitFor()
  })

  await t.test('a PKCS#12 file with a wrong password is refused at the password, with the right one imported', async () => {
    await openssl(t, folder, 'pkcs12', '-export', '-in', 'root.pem', '-inkey', 'root.key', '-passout', 'pass:sesame', '-out', 'root.p12')
    await page.getByRole('link', { name: 'Import a CA' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Company Root')
    await page.getByText('A keystore file').click()
    await page.locator('input[type="file"]').setInputFiles(join(folder, 'root.p12'))
    await page.getByRole('textbox', { name: 'Password' }).fill('wrong')
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByRole('alert').waitFor()
    assert.equal(await page.getByRole('textbox', { name: 'Password' }).getAttribute('aria-invalid'), 'true')
    await page.getByRole('textbox', { name: 'Password' }).fill('sesame')
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByRole('heading', { name: 'Company Root', level: 1 }).waitFor()
  })

  await t.test('it gets a cross-certificate from the root here, which can be preferred and downloaded', async () => {
    await page.getByRole('button', { name: 'Cross-sign' }).click()
    const dialogue = page.getByRole('dialog')
    await dialogue.getByRole('button', { name: 'Cross-sign' }).click()
    await dialogue.waitFor({ state: 'detached' })
    const card = page.getByRole('article', { name: /Certificate signed by Certloop Root CA/ })
    await card.getByText('Cross-certificate').waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), card.getByRole('button', { name: /as DER$/ }).click()])
    const cross = new X509Certificate(await readFile(await download.path()))
    assert.match(cross.issuer, /Certloop Root CA/)
    assert.match(cross.subject, /Company Root/)
    await confirm(page, 'Prefer this one')
    await card.getByText('Preferred').waitFor()
    await toIssuers(page)
    await issuerRow(page, 'Company Root').getByText(/below Certloop Root CA/).waitFor()
  })

  assertClean()
})
