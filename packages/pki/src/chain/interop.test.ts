import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { findTool, requireTool } from '@certloop/test-kit'
import { extension, nameConstraints, type ConstrainedName } from '../certificate/index.ts'
import { element, octetString, sequence } from '../der/der-writer.ts'
import type { GeneralName } from '../name/general-names.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { buildPaths } from './build-paths.ts'
import { at, make, makeChain, nameOf, pemOf, sha1Signer, type Made, type TestChain } from './chain-testing.ts'
import { checkChain } from './check-chain.ts'

const host = 'www.example.com'
const seconds = String(at.getTime() / 1000)

/** What openssl verify prints; empty when it accepts. */
function opensslRefuses(folder: string, { root, middle, leaf }: TestChain, more: readonly string[] = ['-verify_hostname', host]): string {
  for (const [name, made] of Object.entries({ root, middle, leaf })) writeFileSync(`${folder}/${name}.pem`, pemOf(made))
  const run = spawnSync('openssl', ['verify', '-attime', seconds, '-purpose', 'sslserver', ...more, '-CAfile', `${folder}/root.pem`, '-untrusted', `${folder}/middle.pem`, `${folder}/leaf.pem`], { encoding: 'utf8' })
  return run.status === 0 ? '' : `${run.stdout}${run.stderr}`.trim()
}

/** It goes by the clock of the machine; the dates here are chosen so that it sees what `at` does. */
function certtoolRefuses(folder: string, { root, middle, leaf }: TestChain): string {
  writeFileSync(`${folder}/root.pem`, pemOf(root))
  const run = spawnSync(requireTool('certtool'), ['--verify', `--load-ca-certificate=${folder}/root.pem`, `--verify-hostname=${host}`, '--verify-purpose=1.3.6.1.5.5.7.3.1'], { encoding: 'utf8', input: pemOf(leaf, middle) })
  return run.status === 0 ? '' : `${run.stdout}${run.stderr}`.trim()
}

const goProgram = `package main
import ("bufio"; "crypto/x509"; "encoding/base64"; "fmt"; "os"; "strings"; "time")
func read(text string) []*x509.Certificate {
  list := []*x509.Certificate{}
  for _, part := range strings.Split(text, ",") {
    der, _ := base64.StdEncoding.DecodeString(part)
    made, err := x509.ParseCertificate(der)
    if err != nil { fmt.Println("refused parse:", strings.ReplaceAll(err.Error(), "\\n", " ")); return nil }
    list = append(list, made)
  }
  return list
}
func one(line string) {
  words := strings.Split(line, " ")
  var at int64
  fmt.Sscan(words[0], &at)
  leaf, middle, root := read(words[2]), read(words[3]), read(words[4])
  if leaf == nil || middle == nil || root == nil { return }
  roots, pool := x509.NewCertPool(), x509.NewCertPool()
  for _, c := range root { roots.AddCert(c) }
  for _, c := range middle { pool.AddCert(c) }
  name := words[1]
  if name == "-" { name = "" }
  _, err := leaf[0].Verify(x509.VerifyOptions{DNSName: name, Intermediates: pool, Roots: roots, CurrentTime: time.Unix(at, 0), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
  if err != nil { fmt.Println("refused", strings.ReplaceAll(err.Error(), "\\n", " ")) } else { fmt.Println("ok") }
}
func main() {
  in := bufio.NewScanner(os.Stdin)
  in.Buffer(make([]byte, 1<<20), 1<<24)
  for in.Scan() { one(in.Text()) }
}
`
const go = ['/usr/local/go/bin/go', '/usr/bin/go', ...(process.env['PATH'] ?? '').split(':').map((folder) => `${folder}/go`)].find((path) => existsSync(path))
const goLeftOut = go === undefined ? 'go is not installed (Debian package golang-go)' : false

/** Verdicts of Go's crypto/x509 on many chains: empty where it accepts. */
function goRefusals(t: TestContext, chains: readonly TestChain[], name = host): string[] {
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/main.go`, goProgram)
  execFileSync(go ?? 'go', ['build', '-o', `${folder}/verify`, `${folder}/main.go`], { env: { ...process.env, GO111MODULE: 'off', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' } })
  const der = ({ facts }: Made) => facts.pem.replace(/-----[^-]+-----|\s/g, '')
  const input = chains.map(({ root, middle, leaf }) => `${seconds} ${name} ${der(leaf)} ${der(middle)} ${der(root)}\n`).join('')
  const lines = execFileSync(`${folder}/verify`, { input, encoding: 'utf8' }).trim().split('\n')
  assert.equal(lines.length, chains.length)
  return lines.map((line) => (line === 'ok' ? '' : line))
}

const errorsOf = ({ root, middle, leaf }: TestChain, more: { hostName?: string } = { hostName: host }): string[] =>
  checkChain([leaf.facts, middle.facts], { at, anchors: [root.facts], purpose: 'serverAuth', ...more }).findings.filter(({ severity }) => severity === 'error').map(({ code, text }) => `${code}: ${text}`)

/** A kind of chain; `differs` names the peers that see it otherwise, and why. */
interface Case { title: string; changes?: Parameters<typeof makeChain>[1]; differs?: Partial<Record<'openssl' | 'certtool' | 'go', string>> }
const past = new Date('2021-05-01T00:00:00Z')
const future = new Date('2098-07-01T00:00:00Z')
const permitted = (...names: ConstrainedName[]) => [nameConstraints({ permitted: names, excluded: [] })]
const cases: Case[] = [
  { title: 'good' },
  { title: 'empty list of purposes', changes: { leaf: { purposes: [] } }, differs: { go: 'it takes an empty list for none', certtool: 'it takes an empty list for none' } },
  { title: 'leaf expired', changes: { leaf: { notAfter: past } } },
  { title: 'intermediate expired', changes: { middle: { notAfter: past } } },
  { title: 'root expired', changes: { root: { notAfter: past } } },
  { title: 'leaf not yet valid', changes: { leaf: { notBefore: future } } },
  { title: 'intermediate not yet valid', changes: { middle: { notBefore: future } } },
  { title: 'intermediate is no CA', changes: { middle: { isCa: false, usages: ['keyCertSign'] } } },
  { title: 'intermediate without basic constraints', changes: { middle: { withoutBasic: true } } },
  { title: 'intermediate without keyCertSign', changes: { middle: { usages: ['cRLSign'] } } },
  { title: 'intermediate without key usage', changes: { middle: { usages: null } } },
  { title: 'path length 0 at the root', changes: { root: { pathLength: 0 } } },
  { title: 'path length 0 at the intermediate', changes: { middle: { pathLength: 0 } } },
  { title: 'names within', changes: { middle: { extra: permitted({ type: 'dns', value: 'example.com' }) } } },
  { title: 'names outside', changes: { middle: { extra: permitted({ type: 'dns', value: 'example.org' }) } } },
  { title: 'names outside what the root permits', changes: { root: { extra: permitted({ type: 'dns', value: 'example.org' }) } } },
  { title: 'intermediate for mail only', changes: { middle: { purposes: ['emailProtection'] } } },
  { title: 'intermediate for servers', changes: { middle: { purposes: ['serverAuth', 'clientAuth'] } } },
  { title: 'leaf for clients only', changes: { leaf: { purposes: ['clientAuth'] } } },
  { title: 'leaf with a key usage that does not fit', changes: { leaf: { usages: ['cRLSign'] } }, differs: { go: 'it does not look at the key usage of leaves', certtool: 'it does not look at the key usage of leaves' } },
  { title: 'unknown critical extension in the leaf', changes: { leaf: { extra: [extension('1.2.3.4.5', true, octetString(Buffer.of(1)))] } } },
  { title: 'unknown critical extension in the intermediate', changes: { middle: { extra: [extension('1.2.3.4.5', true, octetString(Buffer.of(1)))] } } },
  { title: 'extension twice', changes: { leaf: { extra: [extension('2.5.29.14', false, octetString(Buffer.of(1)))] } } },
  { title: 'key identifier of another issuer', changes: { leaf: { authorityKeyId: Buffer.alloc(20, 7) } }, differs: { go: 'it uses the identifier for sorting only' } },
  { title: 'another host', changes: { leaf: { names: ['other.example.com'] } } },
  { title: 'wildcard', changes: { leaf: { names: ['*.example.com'] } } },
  { title: 'wildcard one label too high', changes: { leaf: { names: ['*.com'] } } },
  { title: 'wildcard over a top level', changes: { leaf: { names: ['*.example.org', 'example.com'] } } },
  { title: 'no alternative name, host in the common name', changes: { leaf: { names: [] } }, differs: { openssl: 'it still looks at the common name', certtool: 'it still looks at the common name' } },
]

test('openssl, GnuTLS and Go agree with checkChain on each kind of chain', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const chains = await Promise.all(cases.map(({ changes }) => makeChain('ec-256', changes)))
  const byGo = goLeftOut === false ? goRefusals(t, chains) : undefined
  if (goLeftOut !== false) t.diagnostic(goLeftOut)
  const wrong: string[] = []
  for (const [i, { title, differs = {} }] of cases.entries()) {
    const chain = chains[i]
    if (!chain) continue
    const ours = errorsOf(chain)
    const peers = { openssl: opensslRefuses(folder, chain), ...(findTool('certtool') ? { certtool: certtoolRefuses(folder, chain) } : {}), ...(byGo ? { go: byGo[i] ?? '' } : {}) }
    for (const [peer, refusal] of Object.entries(peers)) {
      const isSame = (ours.length > 0) === (refusal !== '')
      if (isSame === Object.hasOwn(differs, peer)) wrong.push(`${title}: we say ${JSON.stringify(ours)}, ${peer} says ${JSON.stringify(refusal)}`)
    }
  }
  assert.deepEqual(wrong, [])
})

const excluded = (...names: ConstrainedName[]) => [nameConstraints({ permitted: [], excluded: names })]
const directory = (value: string): GeneralName => ({ type: 'directory', value: '', der: nameOf(['2.5.4.10', value]).toString('hex') })
const directoryConstraint = (tag: 0xa0 | 0xa1, value: string) => [extension('2.5.29.30', true, sequence(element(tag, sequence(element(0xa4, nameOf(['2.5.4.10', value]))))))]
const inExample = nameOf(['2.5.4.10', 'Example'], ['2.5.4.3', 'leaf'])

/** Name constraints of the intermediate, names of the leaf, and whether they fit (RFC 5280, 4.2.1.10). */
const constraintCases: { constraint: Buffer[]; names: (GeneralName | string)[]; fits: boolean; subject?: Buffer; differs?: Partial<Record<'openssl' | 'go', string>> }[] = [
  { constraint: permitted({ type: 'dns', value: 'example.com' }), names: ['example.com', 'a.example.com', 'a.b.example.com', '*.example.com'], fits: true },
  { constraint: permitted({ type: 'dns', value: 'example.com' }), names: ['badexample.com'], fits: false },
  { constraint: permitted({ type: 'dns', value: 'EXAMPLE.com' }), names: ['WWW.Example.COM'.toLowerCase()], fits: true },
  { constraint: permitted({ type: 'dns', value: '.example.com' }), names: ['a.example.com'], fits: true },
  { constraint: permitted({ type: 'dns', value: '.example.com' }), names: ['example.com'], fits: false },
  { constraint: permitted({ type: 'dns', value: 'www.example.com' }), names: ['*.example.com'], fits: false },
  { constraint: permitted({ type: 'dns', value: 'a.example' }, { type: 'dns', value: 'b.example' }), names: ['x.b.example', 'a.example'], fits: true },
  { constraint: excluded({ type: 'dns', value: 'example.com' }), names: ['a.example.com'], fits: false },
  { constraint: excluded({ type: 'dns', value: 'example.com' }), names: ['example.org'], fits: true },
  { constraint: excluded({ type: 'dns', value: 'www.example.com' }), names: ['*.example.com'], fits: false, differs: { openssl: 'it compares a wildcard as text' } },
  { constraint: excluded({ type: 'dns', value: 'a.www.example.com' }), names: ['*.example.com'], fits: true },
  { constraint: permitted({ type: 'dns', value: 'example.com' }), names: ['192.0.2.1'], fits: true },
  { constraint: permitted({ type: 'ip', value: '192.0.2.0/24' }), names: ['192.0.2.77'], fits: true },
  { constraint: permitted({ type: 'ip', value: '192.0.2.0/25' }), names: ['192.0.2.177'], fits: false },
  { constraint: permitted({ type: 'ip', value: '192.0.2.0/24' }), names: ['2001:db8::1'], fits: false },
  { constraint: excluded({ type: 'ip', value: '0.0.0.0/0' }), names: ['2001:db8::1', 'www.example.com'], fits: true },
  { constraint: permitted({ type: 'ip', value: '2001:db8::/32' }), names: ['2001:db8:1::1'], fits: true },
  { constraint: excluded({ type: 'ip', value: '2001:db8::/33' }), names: ['2001:db8:7fff::1'], fits: false },
  { constraint: permitted({ type: 'email', value: 'example.com' }), names: [{ type: 'email', value: 'a@Example.com' }], fits: true },
  { constraint: permitted({ type: 'email', value: 'example.com' }), names: [{ type: 'email', value: 'a@mail.example.com' }], fits: false, differs: { go: 'it takes a host for a whole domain' } },
  { constraint: permitted({ type: 'email', value: '.example.com' }), names: [{ type: 'email', value: 'a@mail.example.com' }], fits: true },
  { constraint: permitted({ type: 'email', value: '.example.com' }), names: [{ type: 'email', value: 'a@example.com' }], fits: false },
  { constraint: permitted({ type: 'email', value: 'a@example.com' }), names: [{ type: 'email', value: 'a@EXAMPLE.com' }], fits: true },
  { constraint: permitted({ type: 'email', value: 'a@example.com' }), names: [{ type: 'email', value: 'A@example.com' }], fits: false },
  { constraint: permitted({ type: 'uri', value: 'example.com' }), names: [{ type: 'uri', value: 'https://example.com:8443/a?b' }], fits: true },
  { constraint: permitted({ type: 'uri', value: 'example.com' }), names: [{ type: 'uri', value: 'https://www.example.com/' }], fits: false, differs: { go: 'it takes a host for a whole domain' } },
  { constraint: permitted({ type: 'uri', value: '.example.com' }), names: [{ type: 'uri', value: 'spiffe://a.b.example.com/x' }], fits: true },
  { constraint: permitted({ type: 'uri', value: '.example.com' }), names: [{ type: 'uri', value: 'urn:example:com' }], fits: false },
  { constraint: excluded({ type: 'uri', value: 'example.com' }), names: [{ type: 'uri', value: 'https://192.0.2.1/' }], fits: false, differs: { openssl: 'it lets a URI with an address pass an exclusion' } },
  { constraint: directoryConstraint(0xa0, 'example'), names: ['www.example.com'], subject: inExample, fits: true, differs: { go: 'it does not know constraints on directory names' } },
  { constraint: directoryConstraint(0xa0, 'Other'), names: ['www.example.com'], subject: inExample, fits: false },
  { constraint: directoryConstraint(0xa1, 'EXAMPLE'), names: ['www.example.com'], subject: inExample, fits: false },
  { constraint: directoryConstraint(0xa1, 'Hidden'), names: [directory('Hidden')], subject: inExample, fits: false },
]

test('openssl and Go agree on name constraints of every kind', { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const chains = await Promise.all(constraintCases.map(({ constraint, names, subject = nameOf() }) => makeChain('ec-256', { middle: { extra: constraint }, leaf: { names, subject } })))
  const byGo = goLeftOut === false ? goRefusals(t, chains, '-') : undefined
  if (goLeftOut !== false) t.diagnostic(goLeftOut)
  const wrong: string[] = []
  for (const [i, chain] of chains.entries()) {
    const one = constraintCases[i]
    if (!one) continue
    const title = `${i} ${JSON.stringify(one.names)}`
    const ours = errorsOf(chain, {})
    if ((ours.length === 0) !== one.fits) wrong.push(`${title}: we say ${JSON.stringify(ours)}`)
    const peers = { openssl: opensslRefuses(folder, chain, []), ...(byGo ? { go: byGo[i] ?? '' } : {}) }
    for (const [peer, refusal] of Object.entries(peers)) {
      if (((refusal === '') === one.fits) === Object.hasOwn(one.differs ?? {}, peer)) wrong.push(`${title}: ${peer} says ${JSON.stringify(refusal)}`)
    }
  }
  assert.deepEqual(wrong, [])
})

for (const algorithm of ['rsa-2048', 'ec-384', 'ed25519'] as const satisfies KeyAlgorithm[]) {
  test(`openssl, strictly, accepts what buildPaths calls valid: ${algorithm}`, { timeout: 120_000 }, async (t) => {
    const folder = temporaryFolder(t)
    const chain = await makeChain(algorithm)
    const { paths } = buildPaths({ leaf: chain.leaf.facts, pool: [chain.middle.facts], anchors: [chain.root.facts], at, purpose: 'serverAuth' })
    assert.deepEqual(paths.map(({ isValid }) => isValid), [true])
    assert.equal(opensslRefuses(folder, chain, ['-x509_strict', '-verify_hostname', host]), '')
    const [leaf, middle, root] = [chain.leaf, chain.middle, chain.root].map(({ facts }) => new X509Certificate(facts.pem))
    assert.ok(leaf && middle && root)
    assert.deepEqual([leaf.checkIssued(middle), leaf.verify(middle.publicKey), middle.checkIssued(root), middle.verify(root.publicKey), leaf.checkHost(host)], [true, true, true, true, host])
  })
}

test('a signature with SHA-1 is refused here and by Go', { skip: goLeftOut, timeout: 180_000 }, async (t) => {
  const root = await make({ name: 'Root', algorithm: 'rsa-2048', isCa: true })
  const middle = await make({ name: 'Middle', isCa: true, issuer: root, signer: sha1Signer(root.key) })
  const leaf = await make({ name: host, issuer: middle, purposes: ['serverAuth'] })
  assert.match(errorsOf({ root, middle, leaf }).join(), /SIGNATURE_WEAK/)
  assert.match(goRefusals(t, [{ root, middle, leaf }])[0] ?? '', /SHA1/)
})
