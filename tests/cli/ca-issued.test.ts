import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { CsrReport, IssuedCertificate, IssuedCertificateDetail, Issuer } from '../../packages/api-client/src/index.ts'
import { eventually, leftOut } from '../../packages/test-kit/src/index.ts'
import { caScene, outsideRoot, serverCsr, signCa, type CaScene } from './ca-kit.ts'
import { jsonOf } from './kit.ts'

const skip = leftOut('openssl')
const timeout = 240_000

/** What openssl hears from the OCSP address in the certificate. */
async function ocspStatus({ openssl }: CaScene, certificate: string): Promise<string> {
  const url = (await openssl('x509', '-in', certificate, '-noout', '-ocsp_uri')).trim()
  const said = await openssl('ocsp', '-issuer', 'issuing.pem', '-cert', certificate, '-url', url, '-CAfile', 'root.pem', '-verify_other', 'issuing.pem', '-no_nonce')
  assert.match(said, /Response verify OK/)
  return new RegExp(`${certificate}: (\\w+)`).exec(said)?.[1] ?? said
}

test('a root outside signs an issuer; it issues for a request of openssl, and revokes as openssl sees', { skip, timeout }, async (t) => {
  const scene = await caScene(t)
  const { cli, at, openssl } = scene
  await outsideRoot(scene, 'root', '/O=Company/CN=Company Root')

  const made = await cli.run('issuer', 'create', 'Company Issuing CA', '--signed-by', 'outside', '--key', 'ec-256', '--subject', 'C=DE', '--subject', 'O=Company', '--csr-out', 'issuing.csr')
  assert.equal(made.code, 0, made.stderr)
  assert.match(made.stderr, /Its CSR is in issuing\.csr[^]*certloop issuer install-certificate "Company Issuing CA" CERTIFICATE-FILE/)
  assert.match(made.stdout, /Status: +pending\nSubject: +CN=Company Issuing CA,O=Company,C=DE\nKey: +ec-256, sealed/)
  assert.match(made.stdout, /Made: +\d{4}-\d\d-\d\d \d\d:\d\d Europe\/Berlin/)
  assert.equal((await cli.run('issuer', 'csr', 'company issuing ca')).stdout, await readFile(at('issuing.csr'), 'utf8'), 'to standard output it is the same')
  assert.match(await openssl('req', '-in', 'issuing.csr', '-noout', '-text', '-verify'), /CA:TRUE, pathlen:0[^]*self-signature verify OK/)
  const early = await cli.run('issued', 'issue', 'issuing.csr', '--profile', 'server', '--issuer', 'Company Issuing CA')
  assert.equal(early.code, 1)

  await signCa(scene, 'root', 'issuing.csr', 'issuing.pem')
  const alone = await cli.run('issuer', 'install-certificate', 'Company Issuing CA', 'issuing.pem')
  assert.equal(alone.code, 1)
  assert.match(alone.stderr, /"CN=Company Root,O=Company", which signed this one, is missing[^]*\(CHAIN_INVALID\)/)
  const wrong = await cli.run('issuer', 'install-certificate', 'Company Issuing CA', 'root.pem')
  assert.match(wrong.stderr, /does not fit the issuer[^]*\(ISSUER_MISMATCH\)/)
  const installed = await cli.run('issuer', 'install-certificate', 'Company Issuing CA', 'issuing.pem', 'root.pem')
  assert.equal(installed.code, 0, installed.stderr)
  assert.match(installed.stderr, /can sign now\. To make it the one in use: certloop issuer activate/)
  assert.match((await cli.run('issuer', 'csr', 'Company Issuing CA')).stderr, /has no CSR/)

  await serverCsr(scene, 'shop.cli.test', 'www.shop.cli.test')
  const issued = await cli.run('issued', 'issue', 'shop.cli.test.csr', '--profile', 'server', '--issuer', 'Company Issuing CA', '--validity-days', '30', '--out', 'full.pem', '--certificate-out', 'leaf.pem', '--chain-out', 'chain.pem', '--root-out', 'anchor.pem')
  assert.equal(issued.code, 0, issued.stderr)
  assert.equal(issued.stdout, '', 'files were asked for')
  assert.equal(await readFile(at('full.pem'), 'utf8'), await readFile(at('leaf.pem'), 'utf8') + await readFile(at('chain.pem'), 'utf8'))
  assert.equal((await readFile(at('anchor.pem'), 'utf8')).trim(), (await readFile(at('root.pem'), 'utf8')).trim())
  assert.match(await openssl('verify', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', '-verify_hostname', 'www.shop.cli.test', 'leaf.pem'), /leaf\.pem: OK/)
  await scene.openssl('x509', '-in', 'full.pem', '-outform', 'der', '-out', 'leaf.der')
  const { serialNumber, id } = jsonOf<IssuedCertificateDetail>(await cli.run('issued', 'show', 'leaf.der', '--json'))
  assert.equal(await ocspStatus(scene, 'leaf.pem'), 'good')

  const suspended = await cli.run('issued', 'suspend', 'full.pem', '--yes')
  assert.match(suspended.stdout, /Status: +held \(suspended/)
  assert.equal(await ocspStatus(scene, 'leaf.pem'), 'revoked')
  assert.match((await cli.run('issued', 'resume', 'shop.cli.test')).stdout, /Status: +good/)
  assert.equal(await ocspStatus(scene, 'leaf.pem'), 'good')

  const spelled = (await openssl('x509', '-in', 'leaf.pem', '-noout', '-serial')).trim().replace('serial=', '').replace(/..(?=.)/g, '$&:')
  const revoked = await cli.run('issued', 'revoke', spelled, '--reason', 'superseded', '--yes')
  assert.equal(revoked.code, 0, revoked.stderr)
  assert.match(revoked.stdout, /Status: +revoked \(for ever\)\nReason: +superseded\nRevoked: +\d{4}-\d\d-\d\d \d\d:\d\d Europe\/Berlin/)
  assert.doesNotMatch(revoked.stderr, /names no address/)
  assert.equal(await ocspStatus(scene, 'leaf.pem'), 'revoked')
  const again = await cli.run('issued', 'revoke', id, '--reason', 'superseded', '--yes')
  assert.equal(again.code, 1)
  assert.match(again.stderr, /revoked at .* already[^]*\(ACTION_NOT_POSSIBLE\)/)
  const list = jsonOf<{ items: IssuedCertificate[] }>(await cli.run('issued', 'list', '--status', 'revoked', '--issuer', 'Company Issuing CA', '--json'))
  assert.deepEqual(list.items.map((one) => [one.serialNumber, one.revocationReason]), [[serialNumber, 'superseded']])
  assert.match((await cli.run('issued', 'list')).stdout, new RegExp(`shop\\.cli\\.test +revoked +superseded .* ${serialNumber} +${id}`))

  // By hand or by itself, the list names it.
  const published = jsonOf<Issuer>(await cli.run('issuer', 'publish-crl', 'Company Issuing CA', '--json'))
  assert.equal(published.crls.find(({ scope }) => scope === 'full')?.entries, 1)
  await eventually(async () => {
    await writeFile(at('list.crl'), Buffer.from(await (await fetch(published.addresses?.crl ?? '')).arrayBuffer()))
    return (await openssl('crl', '-inform', 'der', '-in', 'list.crl', '-noout', '-text', '-CAfile', 'chain.pem')).includes(serialNumber.toUpperCase()) ? true : undefined
  }, { what: 'the list names the certificate' })
})

test('certificate and chain go to standard output; a private key beside a request stays here', { skip, timeout }, async (t) => {
  const scene = await caScene(t)
  const { cli, at, openssl } = scene
  await serverCsr(scene, 'pipe.cli.test')
  await writeFile(at('both.pem'), `${await readFile(at('pipe.cli.test.key'), 'utf8')}${await readFile(at('pipe.cli.test.csr'), 'utf8')}`)
  const issued = await cli.run('issued', 'issue', 'both.pem', '--profile', 'server')
  assert.equal(issued.code, 0, issued.stderr)
  assert.match(issued.stderr, /Note: both\.pem holds a private key beside the request\. It was not sent/)
  await writeFile(at('full.pem'), issued.stdout)
  assert.equal(issued.stdout.match(/BEGIN CERTIFICATE/g)?.length, 2)
  const asJson = jsonOf<IssuedCertificateDetail>(await cli.run('issued', 'issue', 'pipe.cli.test.csr', '--profile', 'server', '--json'))
  await writeFile(at('root.pem'), asJson.rootPem ?? '')
  assert.match(await openssl('verify', '-CAfile', 'root.pem', '-untrusted', 'full.pem', 'full.pem'), /OK/)

  const two = await cli.run('issued', 'show', 'pipe.cli.test')
  assert.equal(two.code, 2)
  assert.match(two.stderr, new RegExp(`fits 2 certificates; use the id of one:[^]*${asJson.id}`))
  const inspected = await cli.run('csr', 'inspect', 'both.pem')
  assert.equal(inspected.code, 0)
  assert.match(inspected.stdout, /Names: +pipe\.cli\.test\nKey: +rsa-2048[^]*Nothing is wrong/)
  await openssl('req', '-in', 'pipe.cli.test.csr', '-outform', 'der', '-out', 'request.der')
  assert.deepEqual(jsonOf<CsrReport>(await cli.run('csr', 'inspect', 'request.der', '--json')).names, ['pipe.cli.test'])
})

test('what can not be issued, found or read says why and what to do', { skip, timeout }, async (t) => {
  const scene = await caScene(t)
  const { cli, at, openssl } = scene
  await serverCsr(scene, 'bad.cli.test')
  await openssl('req', '-new', '-newkey', 'rsa:1024', '-nodes', '-keyout', 'weak.key', '-out', 'weak.csr', '-subj', '/CN=weak.cli.test')
  await outsideRoot(scene, 'stranger', '/CN=Stranger')
  await writeFile(at('text.pem'), 'no request')
  const cases: readonly [string[], number, RegExp][] = [
    [['issued', 'issue', 'bad.cli.test.csr'], 2, /Choose a profile with --profile[^]*certloop profile list/],
    [['issued', 'issue', 'bad.cli.test.csr', '--profile', 'servr'], 1, /no issuance profile "servr"/],
    [['issued', 'issue', 'bad.cli.test.csr', '--profile', 'server', '--issuer', 'Nobody'], 1, /There is no issuer "Nobody"[^]*certloop issuer list/],
    [['issued', 'issue', 'bad.cli.test.csr', '--profile', 'server', '--name', 'other.cli.test'], 1, /\((CSR_MISMATCH|NAME_INVALID)\)/],
    [['issued', 'issue', 'bad.cli.test.csr', '--profile', 'server', '--validity-days', '4000'], 1, /--validity-days: at most 3650[^]*\(PROFILE_VIOLATION\)/],
    [['issued', 'issue', 'bad.cli.test.csr', '--profile', 'server', '--subject', 'Company'], 2, /such as O=Company/],
    [['issued', 'issue', 'bad.cli.test.key', '--profile', 'server'], 2, /private key and no certificate request\. Nothing was sent/],
    [['issued', 'issue', 'text.pem', '--profile', 'server'], 1, /\(CSR_INVALID\)/],
    [['csr', 'inspect', 'missing.csr'], 2, /can not be read/],
    [['issued', 'show', 'stranger.pem'], 1, /did not issue the certificate in stranger\.pem \(issuer: CN=Stranger\)/],
    [['issued', 'show', 'text.pem'], 2, /holds no certificate/],
    [['issued', 'show', '0a:'.repeat(15) + '0a'], 1, /no certificate with the serial number (0a){16}/],
    [['issued', 'show', 'nobody.cli.test'], 1, /no certificate for "nobody\.cli\.test"/],
    [['issued', 'revoke', 'x', '--reason', 'superseeded'], 2, /Did you mean "superseded"/],
    [['issued', 'revoke', 'x', '--invalidity-date', '2026-11-20'], 2, /time with its zone/],
  ]
  for (const [words, code, expected] of cases) {
    const said = await cli.run(...words)
    assert.equal(said.code, code, `${words.join(' ')}: ${said.stderr}`)
    assert.match(said.stderr, expected)
    assert.equal(said.stdout, '')
  }
  const weak = await cli.run('csr', 'inspect', 'weak.csr')
  assert.equal(weak.code, 1, 'an error is found')
  assert.match(weak.stdout, /error: The key has 1024 bits[^]*warning: /)
  const nowhere = await cli.run('issued', 'issue', 'bad.cli.test.csr', '--profile', 'server', '--out', 'no/such/folder.pem')
  assert.equal(nowhere.code, 1)
  const [, again = ''] = /Get it again: certloop issued show (cac_\w+) --out FILE/.exec(nowhere.stderr) ?? []
  assert.equal((await cli.run('issued', 'show', again, '--out', 'found.pem')).code, 0)
  assert.match(await readFile(at('found.pem'), 'utf8'), /BEGIN CERTIFICATE/)
})
