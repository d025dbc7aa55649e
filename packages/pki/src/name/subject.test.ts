import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { createCsr } from '../csr/create-csr.ts'
import { readCsr } from '../csr/csr.ts'
import { readElement } from '../der/der-reader.ts'
import { generateKey } from '../key/key.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { nameText, readName } from './distinguished-name.ts'
import { parseName } from './name-parser.ts'
import { subjectName, type SubjectAttribute, type SubjectPart } from './subject.ts'

const textOf = (parts: readonly SubjectPart[]) => nameText(readName(readElement(subjectName(parts))))
const opensslText = (pem: string) => openssl(['req', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8'], pem).replace(/^subject=|\n$/g, '')

/** Every attribute of the forms, in the order of a certificate with extended validation. */
const everything: SubjectPart[] = [
  { type: 'jurisdictionC', value: 'de' }, { type: 'jurisdictionST', value: 'Bayern' }, { type: 'jurisdictionL', value: 'München' },
  { type: 'businessCategory', value: 'Private Organization' }, { type: 'serialNumber', value: 'HRB 4711' },
  { type: 'DC', value: 'example' }, { type: 'DC', value: 'shop' }, { type: 'C', value: 'DE' }, { type: 'ST', value: 'Bayern' }, { type: 'L', value: 'München' },
  { type: 'street', value: 'Hauptstraße 1, 2. Stock' }, { type: 'postalCode', value: '80331' }, { type: 'O', value: 'Bücher & Söhne, GmbH' },
  { type: 'organizationIdentifier', value: 'VATDE-123456789' }, { type: 'OU', value: 'Web' }, { type: 'OU', value: 'Shop + Café' },
  [{ type: 'CN', value: 'www.example.com' }, { type: 'UID', value: 'u-1' }], { type: 'emailAddress', value: 'pki@example.com' },
  { type: 'title', value: 'Dr.' }, { type: 'GN', value: 'Ada' }, { type: 'SN', value: 'Lovelace' }, { type: '1.3.6.1.4.1.55555.1', value: 'own' }, { type: '2.25.329800735698586629295641978511506172918', value: 'uuid' },
]

test('openssl sees every attribute with its string type, in order', async () => {
  const pem = await createCsr({ privateKeyPem: await generateKey('ed25519'), subject: everything })
  assert.equal(opensslText(pem), textOf(everything))
  assert.equal(readCsr(pem).subject, textOf(everything))
  const lines = openssl(['req', '-noout', '-subject', '-nameopt', 'multiline,show_type,-esc_msb,utf8,-align'], pem)
  for (const line of ['jurisdictionCountryName=PRINTABLESTRING:DE', 'countryName=PRINTABLESTRING:DE', 'serialNumber=PRINTABLESTRING:HRB 4711', 'domainComponent=IA5STRING:shop', 'emailAddress=IA5STRING:pki@example.com', 'organizationName=UTF8STRING:Bücher & Söhne, GmbH', 'organizationalUnitName=UTF8STRING:Shop + Café', 'userId=UTF8STRING:u-1']) {
    assert.ok(lines.replaceAll(' = ', '=').includes(line), `${line} in ${lines}`)
  }
})

test('a name written by openssl is written byte for byte the same from its text', (t) => {
  const folder = temporaryFolder(t)
  const given = '/jurisdictionC=DE/businessCategory=Private Organization/serialNumber=12/C=DE/DC=example/O=Ex\\, ample \\+ Söhne\\/Co/OU=a/OU=b=c/CN=x+UID=y/emailAddress=a@b.example/street= Weg 1/GN=Ada'
  openssl(['req', '-new', '-newkey', 'ed25519', '-nodes', '-utf8', '-keyout', `${folder}/k.pem`, '-subj', given, '-out', `${folder}/r.pem`])
  const pem = openssl(['req', '-in', `${folder}/r.pem`])
  const facts = readCsr(pem)
  assert.equal(facts.subject, opensslText(pem))
  const whole = Buffer.from(facts.der)
  assert.ok(whole.includes(subjectName(parseName(given))), 'from the form with slashes')
  assert.ok(whole.includes(subjectName(parseName(facts.subject))), 'from the form of RFC 4514')
  assert.ok(whole.includes(subjectName(parseName(openssl(['req', '-in', `${folder}/r.pem`, '-noout', '-subject', '-nameopt', 'RFC2253']).replace(/^subject=|\n$/g, '')))), 'with hex pairs')
  assert.ok(whole.includes(subjectName(parseName(openssl(['req', '-in', `${folder}/r.pem`, '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,use_quote,utf8']).replace(/^subject=|\n$/g, '')))), 'with quotes')
})

const refused: [part: SubjectPart, problem: RegExp][] = [
  [{ type: 'CN', value: '' }, /^subject\[1\]: CN is empty$/], [{ type: 'CN', value: 'x'.repeat(65) }, /CN is longer than 64 characters/], [{ type: 'O', value: 'ü'.repeat(65) }, /64/],
  [{ type: 'L', value: 'x'.repeat(129) }, /128/], [{ type: 'postalCode', value: '1'.repeat(41) }, /40/], [{ type: 'emailAddress', value: 'x'.repeat(256) }, /255/], [{ type: '1.2.3', value: 'x'.repeat(32_769) }, /32768/],
  [{ type: 'C', value: 'Germany' }, /two letters/], [{ type: 'C', value: 'D1' }, /two letters/], [{ type: 'jurisdictionC', value: 'D' }, /two letters/],
  [{ type: 'serialNumber', value: 'a_b' }, /may only have letters/], [{ type: 'dnQualifier', value: 'ü' }, /may only have letters/], [{ type: 'emailAddress', value: 'ü@example.com' }, /ASCII/], [{ type: 'DC', value: 'bücher' }, /ASCII/],
  [{ type: 'O', value: 'a\u0000b' }, /control/], [{ type: 'O', value: 'a\nb' }, /control/], [{ type: 'O', value: '\ud800' }, /half a character/],
  [{ type: 'XX', value: 'a' }, /not a known attribute/], [{ type: '3.1', value: 'a' }, /not a known attribute/], [{ type: '1.40', value: 'a' }, /not a known attribute/], [{ type: '1.2.03', value: 'a' }, /not a known attribute/], [{ type: '', value: 'a' }, /not a known attribute/], [{ type: `1.2.${'9'.repeat(40)}`, value: 'a' }, /not a known/],
  [[], /^subject\[1\]: is empty$/], [[{ type: 'CN', value: 'a' }, { type: 'commonName', value: 'b' }], /twice side by side/], [[{ type: 'CN', value: 'a' }, { type: 'O', value: '' }], /^subject\[1\]\[1\]: O is empty$/],
]
for (const [part, problem] of refused) {
  test(`the attribute ${JSON.stringify(part).slice(0, 60)} is refused`, () => {
    assert.throws(() => subjectName([{ type: 'O', value: 'Good' }, part]), (error) => {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
      assert.match((error.facts['fields'] as string[]).join('\n'), problem)
      return true
    })
  })
}

test('bounds count characters, and every bad attribute is named', () => {
  for (const [type, max] of [['CN', 64], ['O', 64], ['L', 128], ['street', 128], ['UID', 256]] as const) {
    assert.ok(subjectName([{ type, value: '😀'.repeat(max) }]).length > 4 * max)
    assert.throws(() => subjectName([{ type, value: '😀'.repeat(max + 1) }]), { code: 'NAME_INVALID' })
  }
  assert.throws(() => subjectName([{ type: 'C', value: 'X' }, { type: 'O', value: 'ok' }, { type: 'XX', value: 'x' }]), (error: CertloopError) => {
    assert.deepEqual((error.facts['fields'] as string[]).map((line) => line.split(':')[0]), ['subject[0]', 'subject[2]'])
    return true
  })
  assert.throws(() => subjectName(Array.from({ length: 201 }, () => ({ type: 'OU', value: 'x' }))), { code: 'NAME_INVALID' })
})

test('attributes have their long names and those of other tools', () => {
  for (const [long, short] of [['commonName', 'CN'], ['stateOrProvinceName', 'ST'], ['S', 'ST'], ['organizationalUnitName', 'OU'], ['E', 'emailAddress'], ['surname', 'SN'], ['givenName', 'GN'], ['STREET', 'street'], ['OID.2.5.4.10', 'O'], ['2.5.4.10', 'O']] as const) {
    assert.deepEqual(subjectName([{ type: long, value: 'x' }]), subjectName([{ type: short, value: 'x' }]), long)
  }
})

const value = fc.string({ unit: fc.constantFrom('a', 'B', '7', ' ', ',', '+', '"', '\\', '<', '>', ';', '=', '#', '/', 'ü', '書', '😀', '.'), minLength: 1, maxLength: 20 })
const utf8Type = fc.constantFrom('CN', 'O', 'OU', 'L', 'ST', 'street', 'postalCode', 'title', 'UID', 'businessCategory', 'GN', 'SN', 'organizationIdentifier', 'pseudonym', '1.3.6.1.4.1.55555.7')
const attribute: fc.Arbitrary<SubjectAttribute> = fc.oneof(fc.record({ type: utf8Type, value }), fc.record({ type: fc.constantFrom('C', 'jurisdictionC'), value: fc.stringMatching(/^[A-Z]{2}$/) }))
const part: fc.Arbitrary<SubjectPart> = fc.oneof({ arbitrary: attribute, weight: 4 }, { arbitrary: fc.uniqueArray(attribute, { selector: ({ type }) => type, minLength: 2, maxLength: 3 }), weight: 1 })
const subjects = fc.array(part, { minLength: 1, maxLength: 6 })

test('property: a subject comes back from its text byte for byte', () => {
  fc.assert(fc.property(subjects, (parts) => {
    const name = subjectName(parts)
    assert.deepEqual(subjectName(parseName(nameText(readName(readElement(name))))), name)
  }), { numRuns: 2000 })
})

test('property: openssl reads every subject as it was given', { timeout: 120_000 }, async () => {
  const privateKeyPem = await generateKey('ed25519')
  await fc.assert(fc.asyncProperty(subjects, async (parts) => {
    // A value of nothing but "#" is left as it is by openssl, against RFC 4514, 2.4.
    fc.pre(!parts.flatMap((part) => part).some((one) => one.value === '#'))
    assert.equal(opensslText(await createCsr({ privateKeyPem, subject: parts })), textOf(parts))
  }), { numRuns: 60 })
})
