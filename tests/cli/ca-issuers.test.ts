import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { run } from '../../apps/cli/src/run.ts'
import type { World } from '../../apps/cli/src/world.ts'
import type { Issuer } from '../../packages/api-client/src/index.ts'
import { createSoftHsm, leftOut } from '../../packages/test-kit/src/index.ts'
import { caScene, outsideRoot, serverCsr, signCa, type CaScene } from './ca-kit.ts'
import { jsonOf, type Said } from './kit.ts'

const skip = leftOut('openssl')
const timeout = 240_000

/** The command line with somebody at the terminal who gives these answers. */
async function atTerminal({ plane, token, cli }: CaScene, answers: readonly string[], ...words: string[]): Promise<Said & { asked: { question: string; hidden: boolean }[] }> {
  const said = { stdout: '', stderr: '', asked: [] as { question: string; hidden: boolean }[] }
  const world: World = {
    env: { CERTLOOP_URL: plane.url, CERTLOOP_TOKEN: token }, home: cli.home, now: () => new Date(), zone: 'UTC', whoHere: 'ada on laptop', pid: process.pid,
    out: (text) => { said.stdout += text }, err: (text) => { said.stderr += text }, outIsTerminal: false, errIsTerminal: false, canAsk: true,
    ask: async (question, options) => { said.asked.push({ question, hidden: options?.hidden === true }); return answers[said.asked.length - 1] ?? '' },
    readInput: async () => '', onInterrupt: () => () => {},
  }
  return { code: await run(words, world, async () => '0'), ...said }
}

async function oldCa(t: TestContext): Promise<CaScene & { password: string }> {
  const scene = await caScene(t)
  const password = 'word of the old CA'
  await outsideRoot(scene, 'old', '/CN=Old Company CA')
  await scene.openssl('pkcs12', '-export', '-inkey', 'old.key', '-in', 'old.pem', '-name', 'old', '-out', 'old.p12', '-passout', `pass:${password}`)
  return { ...scene, password }
}

test('a CA comes in as PKCS#12; its password is asked for unseen, or taken from file or environment, and shown nowhere', { skip, timeout }, async (t) => {
  const scene = await oldCa(t)
  const { cli, at, password, openssl } = scene
  const everything: string[] = []
  const said = (one: Said) => { everything.push(one.stdout, one.stderr); return one }

  const alone = said(await cli.run('issuer', 'import', 'Old CA', 'old.p12'))
  assert.equal(alone.code, 1)
  assert.match(alone.stderr, /no password was given[^]*\(PASSWORD_NEEDED\)\n {2}What to do: .*--password-file FILE or --password-env VARIABLE/)
  assert.match(said(await cli.run('issuer', 'import', 'Old CA', 'old.p12', '--password', 'x')).stderr, /There is no option --password\./)
  const wrong = said(await cli.runWith({ STORE: 'another' }, 'issuer', 'import', 'Old CA', 'old.p12', '--password-env', 'STORE'))
  assert.match(wrong.stderr, /\(PASSWORD_WRONG\)/)
  assert.match(said(await cli.run('issuer', 'import', 'Old CA', 'old.p12', '--password-env', 'STORE')).stderr, /variable STORE is not set/)

  const asked = await atTerminal(scene, [password], 'issuer', 'import', 'Old CA', at('old.p12'))
  said(asked)
  assert.equal(asked.code, 0, asked.stderr)
  assert.deepEqual(asked.asked, [{ question: 'Password of the key or keystore: ', hidden: true }])
  assert.match(asked.stdout, /Role: +root\nStatus: +active\nSubject: +CN=Old Company CA\nKey: +rsa-2048, sealed in the database/)
  assert.match(asked.stderr, /What it issued before is not known here/)
  await writeFile(at('password.txt'), `${password}\nnot this line\n`)
  const twice = said(await cli.run('issuer', 'import', 'Old CA once more', 'old.p12', '--password-file', 'password.txt'))
  assert.match(twice.stderr, /is here already, as the issuer "Old CA"/)

  await serverCsr(scene, 'old.cli.test')
  assert.equal(said(await cli.run('issued', 'issue', 'old.cli.test.csr', '--profile', 'server', '--issuer', 'old ca', '--certificate-out', 'leaf.pem')).code, 0)
  assert.match(await openssl('verify', '-CAfile', 'old.pem', 'leaf.pem'), /OK/)
  for (const text of everything) {
    assert.doesNotMatch(text, /PRIVATE KEY/)
    assert.ok(!text.includes(password))
  }
})

test('PEM files come in together, an encrypted key with its password; without a key a CA is only known', { skip, timeout }, async (t) => {
  const scene = await oldCa(t)
  const { cli, at, openssl } = scene
  const known = await cli.run('issuer', 'import', 'Known', 'old.pem')
  assert.match(known.stdout, /Key: +rsa-2048, not here: only its certificate is/)
  assert.match(known.stderr, /There was no key: it is known here, and can not sign/)
  await outsideRoot(scene, 'top', '/CN=Top')
  await openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-passout', 'pass:key word', '-keyout', 'middle.key', '-subj', '/CN=Middle', '-addext', 'basicConstraints=critical,CA:true,pathlen:0', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', 'middle.csr')
  await signCa(scene, 'top', 'middle.csr', 'middle.pem')
  const files = ['middle.pem', 'top.pem', 'middle.key']
  assert.match((await cli.run('issuer', 'import', 'Middle', ...files)).stderr, /\(PASSWORD_NEEDED\)/)
  const middle = await cli.runWith({ KEY_WORD: 'key word' }, 'issuer', 'import', 'Middle', ...files, '--password-env', 'KEY_WORD')
  assert.equal(middle.code, 0, middle.stderr)
  assert.match(middle.stdout, /Role: +intermediate\n[^]*Path length: +0\n[^]*CN=Top \(outside\)/)
  assert.match(middle.stderr, /certloop issuer activate Middle/)
  await scene.openssl('pkcs12', '-export', '-inkey', 'top.key', '-in', 'top.pem', '-out', 'top.p12', '-passout', 'pass:')
  assert.match((await cli.run('issuer', 'import', 'Two', 'top.p12', 'top.pem')).stderr, /A keystore comes alone/)
  const other = await cli.run('issuer', 'import', 'Other', 'top.pem', 'old.key')
  assert.match(other.stderr, /belongs to none of the certificates[^]*\(KEY_MISMATCH\)/)
  assert.equal((await readFile(at('top.pem'), 'utf8')).includes('PRIVATE'), false)
})

test('roll-over step by step: made beside the old one, activated, the old one retired and still able to revoke', { skip, timeout }, async (t) => {
  const scene = await caScene(t)
  const { cli, openssl } = scene
  const { items } = jsonOf<{ items: Issuer[] }>(await cli.run('issuer', 'list', '--json'))
  const [old, root] = [items.find(({ slot }) => slot === 'intermediate'), items.find(({ slot }) => slot === 'root')]
  assert.ok(old && root)
  await serverCsr(scene, 'roll.cli.test')
  const issue = async (out: string) => {
    const said = await cli.run('issued', 'issue', 'roll.cli.test.csr', '--profile', 'server', '--certificate-out', `${out}.pem`, '--chain-out', `${out}-chain.pem`, '--root-out', 'root.pem')
    assert.equal(said.code, 0, said.stderr)
    assert.match(await openssl('verify', '-CAfile', 'root.pem', '-untrusted', `${out}-chain.pem`, `${out}.pem`), /OK/)
    return openssl('x509', '-in', `${out}.pem`, '-noout', '-issuer')
  }
  const before = await issue('before')
  const made = await cli.run('issuer', 'roll-over', old.name, '--later', '--key', 'ec-384')
  assert.equal(made.code, 0, made.stderr)
  assert.match(made.stdout, /Key: +ec-384/)
  const [, next = ''] = /goes on signing until you say: certloop issuer activate "([^"]+)"/.exec(made.stderr) ?? []
  assert.equal(await issue('still'), before)
  const no = await atTerminal(scene, ['n'], 'issuer', 'activate', next)
  assert.equal(no.code, 1)
  assert.match(no.asked[0]?.question ?? '', new RegExp(`Retire "${old.name}" for good`))
  const activated = await cli.run('issuer', 'activate', next, '--yes')
  assert.match(activated.stderr, new RegExp(`"${old.name}" is retired`))
  assert.notEqual(await issue('after'), before)
  assert.match((await cli.run('issuer', 'list')).stdout, new RegExp(`${old.name} +intermediate +retired`))
  const revoked = await cli.run('issued', 'revoke', 'before.pem', '--reason', 'superseded', '--yes')
  assert.equal(revoked.code, 0, revoked.stderr)
  assert.equal(jsonOf<Issuer>(await cli.run('issuer', 'publish-crl', old.id, '--json')).crls[0]?.entries, 1)
  assert.match((await cli.run('issuer', 'roll-over', root.name)).stderr, /is a root; make a new root and cross-sign it/)
  assert.match((await cli.run('issuer', 'retire', next, '--yes')).stderr, /is in use; put another one in its place first/)
})

test('a second root is cross-signed and chosen for chains; constraints and publishing are set', { skip, timeout }, async (t) => {
  const scene = await caScene(t)
  const { cli, openssl } = scene
  for (const name of ['First Root', 'Second Root']) assert.equal((await cli.run('issuer', 'create', name, '--signed-by', 'self')).code, 0)
  const shown = await cli.run('issuer', 'show', 'First Root', '--certificate-out', 'shown.pem')
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(await openssl('verify', '-CAfile', 'shown.pem', 'shown.pem'), /OK/)
  const branch = await cli.run('issuer', 'create', 'Branch CA', '--signed-by', 'Second Root', '--validity-days', '100', '--permit', 'dns:branch.cli.test', '--exclude', 'ip:0.0.0.0/0', '--crl-hours', '24', '--delta-crl')
  assert.equal(branch.code, 0, branch.stderr)
  assert.match(branch.stdout, /Names: +only dns:branch\.cli\.test; not ip:0\.0\.0\.0\/0\n[^]*Publishes: +lists valid 24 hours, delta lists, OCSP answers valid 60 minutes/)
  await serverCsr(scene, 'a.branch.cli.test')
  await serverCsr(scene, 'elsewhere.cli.test')
  assert.match((await cli.run('issued', 'issue', 'elsewhere.cli.test.csr', '--profile', 'server', '--issuer', 'Branch CA')).stderr, /may only certify branch\.cli\.test/)

  const crossed = await cli.run('issuer', 'cross-sign', 'Second Root', '--by', 'First Root', '--validity-days', '365')
  assert.equal(crossed.code, 0, crossed.stderr)
  const [, certificate = ''] = /certloop issuer prefer "Second Root" (icc_\w+)/.exec(crossed.stderr) ?? []
  assert.match((await cli.run('issuer', 'prefer', 'Second Root', 'icc_x')).stderr, new RegExp(`It has: [^]*${certificate}`))
  assert.match((await cli.run('issuer', 'prefer', 'Second Root', certificate)).stderr, /Chains go over CN=First Root/)
  // A root is handed out as it signed itself, whatever chains go over.
  assert.equal((await cli.run('issuer', 'show', 'Second Root', '--certificate-out', 'trusted.pem')).code, 0)
  assert.match(await openssl('verify', '-CAfile', 'trusted.pem', 'trusted.pem'), /OK/)
  assert.equal((await cli.run('issued', 'issue', 'a.branch.cli.test.csr', '--profile', 'server', '--issuer', 'Branch CA', '--certificate-out', 'leaf.pem', '--chain-out', 'chain.pem', '--root-out', 'first.pem')).code, 0)
  assert.match(await openssl('x509', '-in', 'first.pem', '-noout', '-subject'), /First Root/)
  assert.match(await openssl('verify', '-CAfile', 'first.pem', '-untrusted', 'chain.pem', 'leaf.pem'), /OK/)

  assert.match((await cli.run('issuer', 'configure', 'Branch CA')).stderr, /Nothing to change was given/)
  const configured = await cli.run('issuer', 'configure', 'Branch CA', '--crl-shards', '2', '--no-delta-crl', '--ocsp-minutes', '5')
  assert.match(configured.stdout, /Publishes: +lists valid 24 hours, 2 shards beside the full one, OCSP answers valid 5 minutes/)
  assert.match((await cli.run('issuer', 'publish-crl', 'Branch CA')).stdout, /full +\d+ +0[^]*shard:1 +\d+ +0/)
  assert.match((await cli.run('issuer', 'retire', 'Branch CA', '--yes')).stdout, /Status: +retired/)
  assert.match((await cli.run('issued', 'issue', 'a.branch.cli.test.csr', '--profile', 'server', '--issuer', 'Branch CA')).stderr, /\(ISSUER_NOT_READY\)/)
})

test('words that do not fit an issuer are refused before anything is sent', { skip, timeout }, async (t) => {
  const { cli } = await caScene(t)
  const cases: readonly [string[], RegExp][] = [
    [['create', 'X'], /Say who signs it with --signed-by: self, outside, or an issuer here/],
    [['create', 'X', '--signed-by', 'self', '--permit', 'example.com'], /a kind and a value such as dns:example\.com/],
    [['create', 'X', '--signed-by', 'self', '--subject', 'CN=x'], /common name is given with --common-name/],
    [['create', 'X', '--signed-by', 'self', '--csr-out', 'x.csr'], /goes with --signed-by outside/],
    [['create', 'X', '--signed-by', 'self', '--key', 'rsa-1024'], /--key takes one of/],
    [['cross-sign', 'X'], /Say who signs with --by/],
    [['import', 'X', 'missing.p12'], /can not be read/],
    [['import', 'X'], /needs FILE/],
  ]
  for (const [words, expected] of cases) {
    const said = await cli.run('issuer', ...words)
    assert.equal(said.code, 2, `${words.join(' ')}: ${said.stderr}`)
    assert.match(said.stderr, expected)
  }
  const taken = await cli.run('issuer', 'create', 'X', '--signed-by', 'outside')
  assert.match(taken.stderr, /certloop issuer csr X --out ca\.csr/)
  assert.match((await cli.run('issuer', 'show', 'X', '--certificate-out', 'x.pem')).stderr, /has no certificate yet[^]*certloop issuer csr X/)
  assert.match((await cli.run('issuer', 'create', 'X', '--signed-by', 'self')).stderr, /There is an issuer named "X" already[^]*\(CONFLICT\)/)
  assert.match((await cli.run('issuer', 'create', 'Y', '--signed-by', 'self', '--pkcs11-label', 'y')).stderr, /No PKCS#11 module is configured[^]*\(PKCS11_UNAVAILABLE\)/)
})

test('a root with its key in a token signs an intermediate', { skip: skip || leftOut('libsofthsm2.so') || leftOut('softhsm2-util') || leftOut('pkcs11-tool'), timeout }, async (t) => {
  const pin = '998877'
  const hsm = await createSoftHsm(t, { label: 'company', pin })
  const scene = await caScene(t, { more: ['--pkcs11-module', hsm.modulePath, '--pkcs11-token', 'company'], env: { ...hsm.env, CERTLOOP_PKCS11_PIN: pin } })
  const { cli, openssl } = scene
  const root = await cli.run('issuer', 'create', 'HSM Root', '--signed-by', 'self', '--pkcs11-label', 'company-root')
  assert.equal(root.code, 0, root.stderr)
  assert.match(root.stdout, /Key: +ec-384, in the PKCS#11 token/)
  assert.match(await hsm.pkcs11Tool('--token-label', 'company', '--login', '--pin', pin, '--list-objects', '--type', 'privkey'), /label: +company-root/)
  assert.equal((await cli.run('issuer', 'create', 'Below HSM', '--signed-by', 'HSM Root', '--key', 'ec-256')).code, 0)
  await serverCsr(scene, 'hsm.cli.test')
  assert.equal((await cli.run('issued', 'issue', 'hsm.cli.test.csr', '--profile', 'server', '--issuer', 'Below HSM', '--certificate-out', 'leaf.pem', '--chain-out', 'chain.pem', '--root-out', 'root.pem')).code, 0)
  assert.match(await openssl('verify', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'leaf.pem'), /OK/)
})
