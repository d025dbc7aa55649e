import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { AsnConvert } from '@peculiar/asn1-schema'
import * as peculiar from '@peculiar/asn1-x509'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { createCsr } from '../csr/create-csr.ts'
import { readCsr } from '../csr/csr.ts'
import { readElement } from '../der/der-reader.ts'
import { element, explicit, objectIdentifier, sequence, utf8String } from '../der/der-writer.ts'
import { generateKey } from '../key/key.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { directoryName, generalName, generalNames, readAllGeneralNames, readGeneralName, type GeneralName } from './general-names.ts'

const roundTrip = (names: readonly GeneralName[]) => readAllGeneralNames(readElement(generalNames(names)))

const ofAllKinds: GeneralName[] = [
  { type: 'dns', value: 'www.example.com' }, { type: 'dns', value: '*.xn--bcher-kva.example' }, { type: 'ip', value: '192.0.2.7' }, { type: 'ip', value: '2001:db8::7' }, { type: 'ip', value: '::' }, { type: 'ip', value: '::ffff:c000:201' },
  { type: 'email', value: 'Ops@example.com' }, { type: 'uri', value: 'spiffe://example.com/web?a=1#b' }, { type: 'upn', value: 'jürgen@corp.example' },
  directoryName([{ type: 'C', value: 'DE' }, { type: 'CN', value: 'Ex, ample' }]), { type: 'registered-id', value: '1.2.3.4' }, { type: 'registered-id', value: '2.999.1' },
  { type: 'other', oid: '1.2.3.4.5', value: utf8String('hello').toString('hex') }, { type: 'other', oid: '1.3.6.1.5.5.7.8.9', value: utf8String('ü@example.com').toString('hex') },
]

test('names of all kinds are written and read back', () => { assert.deepEqual(roundTrip(ofAllKinds), ofAllKinds) })

test('openssl prints names of all kinds as they are meant', async () => {
  const pem = await createCsr({ privateKeyPem: await generateKey('ed25519'), alternativeNames: ofAllKinds })
  const text = openssl(['req', '-noout', '-text', '-nameopt', 'utf8'], pem)
  const line = /Subject Alternative Name: critical\n\s*(.*)\n/.exec(text)?.[1] ?? ''
  assert.equal(line, 'DNS:www.example.com, DNS:*.xn--bcher-kva.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, IP Address:0:0:0:0:0:0:0:0, IP Address:0:0:0:0:0:FFFF:C000:201, '
    + 'email:Ops@example.com, URI:spiffe://example.com/web?a=1#b, othername: UPN::jürgen@corp.example, DirName:/C=DE/CN=Ex, ample, Registered ID:1.2.3.4, Registered ID:2.999.1, '
    + 'othername: 1.2.3.4.5::hello, othername: SmtpUTF8Mailbox::ü@example.com')
})

test('names of all kinds in a request of openssl are read', (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/req.cnf`, `[req]\ndistinguished_name=dn\nreq_extensions=ext\nutf8=yes\n[dn]\n[ext]\nsubjectAltName=@san\n[san]
DNS.1=WWW.Example.com\nIP.1=192.0.2.7\nIP.2=2001:db8::7\nemail.1=Ops@example.com\nURI.1=https://example.com/a\nRID.1=1.2.3.4\notherName.1=1.3.6.1.4.1.311.20.2.3;FORMAT:UTF8,UTF8:jürgen@corp.example\notherName.2=1.2.3.4;INTEGER:7\ndirName.1=dir\n[dir]\nC=DE\nCN=x\n`)
  openssl(['req', '-new', '-newkey', 'ed25519', '-nodes', '-config', `${folder}/req.cnf`, '-subj', '/CN=x', '-keyout', `${folder}/k`, '-out', `${folder}/r`])
  const expected: GeneralName[] = [
    { type: 'dns', value: 'www.example.com' }, { type: 'ip', value: '192.0.2.7' }, { type: 'ip', value: '2001:db8::7' }, { type: 'email', value: 'Ops@example.com' }, { type: 'uri', value: 'https://example.com/a' },
    { type: 'registered-id', value: '1.2.3.4' }, { type: 'upn', value: 'jürgen@corp.example' }, { type: 'other', oid: '1.2.3.4', value: '020107' }, directoryName([{ type: 'C', value: 'DE' }, { type: 'CN', value: 'x' }]),
  ]
  assert.deepEqual(readCsr(openssl(['req', '-in', `${folder}/r`])).alternativeNames, expected)
})

test('@peculiar/asn1-x509 reads and writes the same bytes', () => {
  const ours = generalNames(ofAllKinds)
  const theirs = AsnConvert.parse(ours, peculiar.GeneralNames)
  assert.deepEqual([...theirs].map((name) => name.dNSName ?? name.iPAddress ?? name.rfc822Name ?? name.uniformResourceIdentifier ?? name.registeredID ?? name.otherName?.typeId ?? (name.directoryName ? 'directory' : 'none')), [
    'www.example.com', '*.xn--bcher-kva.example', '192.0.2.7', '2001:db8::7', '::', '::ffff:c000:201', 'Ops@example.com', 'spiffe://example.com/web?a=1#b', '1.3.6.1.4.1.311.20.2.3', 'directory', '1.2.3.4', '2.999.1', '1.2.3.4.5', '1.3.6.1.5.5.7.8.9',
  ])
  assert.deepEqual(Buffer.from(AsnConvert.serialize(theirs)), ours)
})

const refused: [name: GeneralName, problem: RegExp][] = [
  [{ type: 'dns', value: 'bücher.example' }, /ASCII/], [{ type: 'dns', value: '' }, /ASCII/], [{ type: 'email', value: 'a b@example.com' }, /ASCII/], [{ type: 'uri', value: 'https://e.example/\u0000' }, /ASCII/],
  [{ type: 'ip', value: 'example' }, /IP address/], [{ type: 'ip', value: 'fe80::1%eth0' }, /IP address/], [{ type: 'registered-id', value: 'x' }, /dotted/], [{ type: 'registered-id', value: '3.1' }, /dotted/],
  [{ type: 'directory', value: 'CN=x', der: 'zz' }, /name/], [{ type: 'directory', value: 'CN=x', der: '' }, /name/], [{ type: 'directory', value: 'CN=x', der: '0401ff' }, /name/], [{ type: 'directory', value: 'CN=x', der: '300000' }, /name/],
  [{ type: 'other', oid: 'x', value: '0500' }, /dotted/], [{ type: 'other', oid: '1.2.3', value: '' }, /hex/], [{ type: 'other', oid: '1.2.3', value: '05' }, /hex/], [{ type: 'other', oid: null, value: '0500zz' }, /hex/],
]
for (const [name, problem] of refused) {
  test(`${JSON.stringify(name)} is not written`, () => { assert.throws(() => generalName(name), (error) => error instanceof CertloopError && error.code === 'NAME_INVALID' && problem.test(error.message)) })
}

test('what is damaged within is kept as it is, and the names beside it are read', () => {
  const damaged = [Buffer.from('8705c000020701', 'hex'), Buffer.from('a4020500', 'hex'), Buffer.from('a400', 'hex'), Buffer.from('8800', 'hex'), Buffer.from('a0020500', 'hex'), Buffer.from('8300', 'hex'),
    element(0xa0, objectIdentifier('1.2.3'), explicit(0, Buffer.from('05000500', 'hex')))]
  for (const bytes of damaged) {
    assert.deepEqual(readAllGeneralNames(readElement(sequence(bytes, Buffer.from('820161', 'hex')))), [{ type: 'other', oid: null, value: bytes.toString('hex') }, { type: 'dns', value: 'a' }])
    assert.deepEqual(generalName(readGeneralName(readElement(bytes))), bytes)
  }
})

test('property: any name of these kinds comes back, and peculiar reads it too', () => {
  const plain = { noNullPrototype: true }
  const ascii = fc.stringMatching(/^[\x21-\x7e]{1,40}$/)
  const name = fc.oneof(
    fc.record({ type: fc.constantFrom('email' as const, 'uri' as const), value: ascii }, plain),
    fc.record({ type: fc.constant('dns' as const), value: ascii.map((text) => text.toLowerCase()) }, plain),
    fc.record({ type: fc.constant('upn' as const), value: fc.string({ minLength: 1 }).filter((text) => text.isWellFormed()) }, plain),
    fc.record({ type: fc.constant('ip' as const), value: fc.oneof(fc.ipV4(), fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1))) }, plain),
    fc.record({ type: fc.constant('registered-id' as const), value: fc.array(fc.nat(), { minLength: 1, maxLength: 8 }).map((arcs) => `1.3.${arcs.join('.')}`) }, plain),
  )
  fc.assert(fc.property(fc.array(name, { maxLength: 8 }), (names) => {
    assert.deepEqual(roundTrip(names), names)
    assert.equal(AsnConvert.parse(generalNames(names), peculiar.GeneralNames).length, names.length)
  }), { numRuns: 500 })
})
