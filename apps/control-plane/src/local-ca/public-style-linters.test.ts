import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { toPem } from '@certloop/pki'
import { pkilint, tempFolder, zlint, type LintReport, type PkilintJob } from '@certloop/test-kit'
import { builtInProfiles } from './profiles.ts'
import { addProfile, allPolicies, factsOf, publicSubject, publicWorld, responderIn, type PublicWorld, type Wish } from './public-style-testing.ts'

// Certificates, lists and answers before linters that others wrote: whatever they say and is not listed here is a failure.

/** Known words of zlint, with the reason. */
const zlintExceptions: Record<string, string> = {
  w_ct_sct_policy_count_unsatisfied: 'Certificate transparency logs take certificates of publicly trusted roots alone; a private CA can have no timestamps.',
  n_ca_digital_signature_not_set: 'Only a note: CA keys here sign no OCSP answers, a responder does, so the bit is not needed (7.1.2.10.7: MAY).',
  w_subject_common_name_included: 'The common name is not recommended and allowed (7.1.2.7.2); it stands there only when it is asked for.',
}
/** Known words of pkilint, with the reason. */
const pkilintExceptions: Record<string, string> = {
  'pkix.subject_key_identifier_rfc7093_method_1_identified': 'Only says how the key identifier was made.',
  'cabf.ca_certificate_no_digital_signature_bit': 'Only a note: CA keys here sign no OCSP answers, a responder does (7.1.2.10.7: MAY).',
  'cabf.serverauth.subscriber.subject_key_identifier_extension_present': 'Not recommended and allowed (7.1.2.7.6); wanted here, since chains are built by it.',
  'cabf.serverauth.subscriber.unknown_extension_present': 'Must-staple (RFC 7633), not recommended and allowed (7.1.2.7.6); it stands there only when it is asked for.',
  'cabf.serverauth.dv.common_name_attribute_present': 'Not recommended and allowed (7.1.2.7.2); it stands there only when it is asked for.',
  'cabf.serverauth.ov.common_name_attribute_present': 'The same (7.1.2.7.4).',
  'cabf.serverauth.ov.postal_code_attribute_present': 'Not recommended and allowed (7.1.2.7.4); only by a profile that allows it.',
  'cabf.serverauth.ov.street_address_attribute_present': 'The same.',
  'pkix.certificate_has_no_certificate_policies_extension': 'Only a note: the certificate of a responder has no policies (7.1.2.8).',
  'cabf.serverauth.subscriber_rsa_digitalsignature_and_keyencipherment_present': 'Not recommended and allowed (7.1.2.7.11); servers that still take RSA key exchange need both.',
}

interface Documents { file(name: string, content: string): string; folder: string }
async function documents(t: TestContext): Promise<Documents> {
  const folder = await tempFolder(t, 'lint')
  return { folder, file: (name, content) => { writeFileSync(join(folder, name), content); return join(folder, name) } }
}
interface Linted { title: string; file: string; /** pkilint's type of certificate. */ type: string; /** File of the issuer's certificate. */ issuer: string }

/** What is issued for the linters: one for each thing that a profile can vary. */
async function leaves(world: PublicWorld): Promise<[string, string, Wish][]> {
  const place = ['C', 'L', 'O']
  await addProfile(world, 'ov', { policies: ['2.23.140.1.2.2'], subjectAttributes: ['C', 'ST', 'L', 'postalCode', 'street', 'O'], requiredAttributes: place })
  await addProfile(world, 'iv', { policies: ['2.23.140.1.2.3'], subjectAttributes: ['C', 'ST', 'SN', 'GN'], requiredAttributes: ['C', 'ST', 'SN', 'GN'] })
  const company = [...place, 'businessCategory', 'serialNumber', 'jurisdictionC']
  await addProfile(world, 'ev', { policies: ['2.23.140.1.1'], subjectAttributes: company, requiredAttributes: company, names: { ...builtInProfiles['public-server'].names, types: ['dns'], wildcards: false } })
  const subject = [{ type: 'O', value: 'Example Ltd' }, { type: 'L', value: 'Berlin' }, { type: 'C', value: 'DE' }]
  const dv = 'DV-FINAL-CERTIFICATE'
  return [
    ...builtInProfiles['public-server'].keyAlgorithms.map((algorithm): [string, string, Wish] => [`leaf ${algorithm}`, dv, { algorithm, validityDays: 199 }]),
    ['wildcard', dv, { names: ['*.example.com', 'example.com'] }], ['addresses', dv, { names: ['8.8.8.8', '2606:4700:4700::1111', 'dns.example.com'] }], ['international', dv, { names: ['bücher.example.com'] }],
    ['must-staple', dv, { mustStaple: true }], ['common name', dv, { commonName: 'shop.example.com' }], ['one day', dv, { validityDays: 1 }], ['a hundred names', dv, { names: Array.from({ length: 100 }, (_, i) => `host-${i}.example.com`) }],
    ['organisation', 'OV-FINAL-CERTIFICATE', { profile: 'ov', subject: [...subject, { type: 'street', value: 'Main Street 1' }, { type: 'postalCode', value: '10115' }], commonName: 'shop.example.com' }],
    ['person', 'IV-FINAL-CERTIFICATE', { profile: 'iv', subject: [{ type: 'GN', value: 'Erika' }, { type: 'SN', value: 'Mustermann' }, { type: 'ST', value: 'Berlin' }, { type: 'C', value: 'DE' }] }],
    ['company', 'EV-FINAL-CERTIFICATE', { profile: 'ev', subject: [...subject, { type: 'businessCategory', value: 'Private Organization' }, { type: 'jurisdictionC', value: 'DE' }, { type: 'serialNumber', value: 'HRB 1234' }] }],
  ]
}

async function certificatesOf(world: PublicWorld, { file }: Documents): Promise<Linted[]> {
  const { ca, leaf, ocsp, root, sub } = world
  const [rootFile, subFile] = [file('root.pem', factsOf(root).pem), file('sub.pem', factsOf(sub).pem)]
  const all: Linted[] = [{ title: 'root', file: rootFile, type: 'ROOT-CA', issuer: rootFile }, { title: 'subordinate', file: subFile, type: 'INTERNAL-UNCONSTRAINED-TLS-CA', issuer: rootFile }]
  for (const [title, type, wish] of await leaves(world)) all.push({ title, file: file(`${title}.pem`, (await leaf(title, wish)).pem), type, issuer: subFile })
  for (const [name, issuer, issuerFile] of [['sub', sub, subFile], ['root', root, rootFile]] as const) {
    all.push({ title: `responder of ${name}`, file: file(`responder-${name}.pem`, responderIn(await ocsp(issuer, factsOf(sub).serialNumber)).pem), type: 'OCSP-RESPONDER', issuer: issuerFile })
  }
  const plain = await ca.issuerService.create({ name: 'plain', commonName: 'Example TLS CA T2', subject: publicSubject, profile: 'public-subordinate-ca', keyAlgorithm: 'rsa-2048', signedBy: root.id, validityDays: 1000, settings: { pathLength: 0 } })
  all.push({ title: 'subordinate by the built-in profile', file: file('plain.pem', factsOf(plain).pem), type: 'INTERNAL-UNCONSTRAINED-TLS-CA', issuer: rootFile })
  const other = await ca.issuerService.create({ name: 'other root', commonName: 'Example Root R2', subject: publicSubject, profile: 'public-subordinate-ca', keyAlgorithm: 'rsa-4096', signedBy: 'self', validityDays: 3653 })
  const otherFile = file('other.pem', factsOf(other).pem)
  all.push({ title: 'other root', file: otherFile, type: 'ROOT-CA', issuer: otherFile })
  const crossed = (await ca.issuerService.crossSign(root.id, other.id, 1826)).certificates.find(({ signedBy }) => signedBy === other.id)
  all.push({ title: 'cross-certificate', file: file('cross.pem', crossed?.certificatePem ?? ''), type: 'INTERNAL-CROSS-CA', issuer: otherFile })
  return all
}

/** Lists with every reason that is allowed, whole and in parts. */
async function listsOf(world: PublicWorld, { file }: Documents): Promise<{ title: string; file: string; type: 'CRL' | 'ARL' }[]> {
  const { ca, crl, leaf, root, rowOf, sub } = world
  for (const reason of ['keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn', 'unspecified'] as const) {
    await leaf(`revoked ${reason}`, { ownKey: true })
    await ca.revocation.revoke((await rowOf(`revoked ${reason}`)).id, { reason })
  }
  const pem = async (...which: Parameters<typeof crl>) => toPem('X509 CRL', await crl(...which))
  const lists = [{ title: 'list', file: file('list.pem', await pem(sub)), type: 'CRL' as const }, { title: 'part of a list', file: file('part.pem', await pem(sub, 0)), type: 'CRL' as const }]
  await ca.revocation.revoke((await rowOf(`issuer:${sub.id}`)).id, { reason: 'cessationOfOperation' })
  return [...lists, { title: 'list of the root', file: file('root-list.pem', await pem(root)), type: 'ARL' }]
}

/** What was said and is no known exception, a line each. */
function unexpected(titles: readonly string[], reports: readonly LintReport[], exceptions: Record<string, string>): string[] {
  assert.equal(reports.length, titles.length)
  const said = new Set(reports.flatMap(({ findings }) => findings.map(({ lint }) => lint)))
  const unused = Object.keys(exceptions).filter((lint) => !said.has(lint)).map((lint) => `no document needs the exception ${lint}`)
  return [...unused, ...reports.flatMap(({ findings }, i) => findings.filter(({ lint }) => !Object.hasOwn(exceptions, lint)).map(({ lint, severity, detail }) => `${titles[i]}: ${severity} ${lint} ${detail}`.trim()))]
}
const sum = (reports: readonly LintReport[]) => reports.reduce((total, { run }) => total + run, 0)

test('zlint finds nothing in certificates and lists of public style', { timeout: 900_000 }, async (t) => {
  const linter = await zlint()
  if ('leftOut' in linter) return t.skip(linter.leftOut)
  const [world, folder] = [await publicWorld(t, { root: 'ec-384', sub: 'ec-256', settings: { crlShards: 1 }, policies: allPolicies }), await documents(t)]
  const all = [...await certificatesOf(world, folder), ...await listsOf(world, folder)]
  const reports = await linter.lint(all.map(({ file }) => file))
  assert.deepEqual(unexpected(all.map(({ title }) => title), reports, zlintExceptions), [])
  t.diagnostic(`zlint: ${all.length} documents, ${sum(reports)} lints`)
  // It does find what is wrong: a private certificate has no policies.
  const wrong = await linter.lint([folder.file('wrong.pem', (await world.leaf('wrong', { profile: 'server', issuerId: undefined as never })).pem)])
  assert.ok(unexpected(['wrong'], wrong, zlintExceptions).some((line) => line.includes('e_sub_cert_certificate_policies_missing')))
})

test('pkilint finds nothing in certificates, lists and answers of public style', { timeout: 900_000 }, async (t) => {
  const linter = await pkilint()
  if ('leftOut' in linter) return t.skip(linter.leftOut)
  const [world, folder] = [await publicWorld(t, { root: 'rsa-4096', sub: 'ec-384', settings: { crlShards: 1 }, policies: allPolicies }), await documents(t)]
  const certificates = await certificatesOf(world, folder)
  const revoked = await world.leaf('revoked')
  await world.ca.revocation.revoke((await world.rowOf('revoked')).id, { reason: 'superseded' })
  const answers = await Promise.all([factsOf(world.sub).serialNumber, revoked.serialNumber].map(async (serial, i) => folder.file(`answer-${i}`, (await world.ocsp(i === 0 ? world.root : world.sub, serial)).toString('base64'))))
  const jobs: (PkilintJob & { title: string })[] = [
    ...certificates.map(({ title, type, file }) => ({ title, linter: 'lint_cabf_serverauth_cert', options: ['-t', type], files: [file] })),
    ...certificates.map(({ title, file, issuer }) => ({ title: `${title} and its issuer`, linter: 'lint_pkix_signer_signee_cert_chain', options: [], files: [issuer, file] })),
    ...(await listsOf(world, folder)).map(({ title, file, type }) => ({ title, linter: 'lint_crl', options: ['-t', type, '-p', 'BR'], files: [file] })),
    ...answers.map((file, i) => ({ title: `answer ${i}`, linter: 'lint_ocsp_response', options: [], files: [file] })),
  ]
  const reports = await linter.lint(jobs)
  assert.deepEqual(unexpected(jobs.map(({ title }) => title), reports, pkilintExceptions), [])
  t.diagnostic(`pkilint: ${jobs.length} documents, ${sum(reports)} lints`)
  const wrong = folder.file('wrong.pem', (await world.leaf('wrong', { profile: 'server', issuerId: undefined as never })).pem)
  const found = unexpected(['wrong'], await linter.lint([{ linter: 'lint_cabf_serverauth_cert', options: ['-t', 'DV-FINAL-CERTIFICATE'], files: [wrong] }]), pkilintExceptions)
  assert.ok(found.some((line) => line.includes('error')), 'it finds what is wrong')
})

test('the private hierarchy and its profiles: no error by RFC 5280', { timeout: 900_000 }, async (t) => {
  const [zmap, digicert] = [await zlint(), await pkilint()]
  const [world, { file }] = [await publicWorld(t), await documents(t)]
  const all = await privateDocuments(world, file)
  const titles = all.map(({ title }) => title)
  for (const linter of [zmap, digicert]) if ('leftOut' in linter) t.diagnostic(linter.leftOut)
  if ('leftOut' in zmap && 'leftOut' in digicert) return t.skip(zmap.leftOut)
  if ('lint' in zmap) {
    const reports = await zmap.lint(all.map(({ file: path }) => path), rulesOfOthers)
    assert.deepEqual(unexpected(titles, reports, privateZlintExceptions), [])
    t.diagnostic(`zlint: ${all.length} documents, ${sum(reports)} lints`)
  }
  if ('lint' in digicert) {
    const reports = await digicert.lint(all.map(({ linter, options, file: path }) => ({ linter, options, files: [path] })))
    assert.deepEqual(unexpected(titles, reports, privateExceptions), [])
    t.diagnostic(`pkilint: ${all.length} documents, ${sum(reports)} lints`)
  }
})

/** Of zlint's sources those that are not RFCs. */
const rulesOfOthers = ['CABF_BR', 'CABF_EV', 'CABF_SMIME_BR', 'Community', 'ETSI_ESI', 'Mozilla', 'Apple']
/** Known words of zlint about private ones, with the reason. */
const privateZlintExceptions: Record<string, string> = {
  e_cab_crl_has_valid_reason_code: 'Of the Baseline Requirements, and run though its source is left out: private certificates can be suspended (certificateHold), which public style refuses.',
}
/** Known words of pkilint about private certificates, with the reason. */
const privateExceptions: Record<string, string> = {
  'pkix.subject_key_identifier_rfc7093_method_1_identified': 'Only says how the key identifier was made.',
  'pkix.invalid_domain_name_syntax': 'Wildcards and single labels ("localhost") are names in private networks; public style refuses the latter.',
}

async function privateDocuments({ ca, crl, leaf, rowOf }: PublicWorld, file: Documents['file']): Promise<{ title: string; linter: string; options: string[]; file: string }[]> {
  const linted = (title: string, pem: string) => ({ title, linter: 'lint_pkix_cert', options: [], file: file(`${title}.pem`, pem) })
  const inside = { issuerId: undefined as never }
  const people: Wish = { ...inside, names: [], commonName: 'Erika Mustermann' }
  const wishes: [string, Wish][] = [
    ['server', { ...inside, profile: 'server', ownKey: true }], ['server with a subject', { ...inside, profile: 'server', commonName: 'shop.example.com', subject: publicSubject, algorithm: 'rsa-2048' }], ['internal server', { ...inside, profile: 'server', names: ['*.shop.local', 'localhost', '10.0.0.1', 'fd00::1'], mustStaple: true }],
    ['server with Ed25519', { ...inside, profile: 'server', algorithm: 'ed25519' }], ['server and client', { ...inside, profile: 'server-and-client' }], ['client', { ...people, profile: 'client', otherNames: [{ type: 'email', value: 'erika@example.com' }] }],
    ['e-mail', { ...people, profile: 'email', otherNames: [{ type: 'email', value: 'erika@example.com' }] }], ['code signing', { ...people, profile: 'code-signing' }], ['time stamping', { ...people, profile: 'time-stamping' }],
    ['control plane', { ...inside, profile: 'control-plane' }], ['bot', { ...people, profile: 'bot-identity', commonName: 'bot_1' }],
  ]
  const leaves = []
  for (const [title, wish] of wishes) leaves.push(linted(title, (await leaf(`private ${title}`, wish)).pem))
  const issuers = (await ca.issuers()).filter(({ slot }) => slot !== null)
  await ca.revocation.revoke((await rowOf('private server')).id, { reason: 'keyCompromise', invalidityDate: new Date('2026-03-31T00:00:00Z') })
  await ca.revocation.suspend((await rowOf('private client')).id)
  const lists = []
  for (const issuer of issuers) lists.push({ title: `list of ${issuer.name}`, linter: 'lint_crl', options: ['-t', issuer.kind === 'root' ? 'ARL' : 'CRL', '-p', 'PKIX'], file: file(`${issuer.name}.crl`, toPem('X509 CRL', await crl(issuer))) })
  return [...issuers.map((issuer) => linted(issuer.name, factsOf(issuer).pem)), ...leaves, ...lists]
}
