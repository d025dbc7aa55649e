import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readElement } from '../der/der-reader.ts'
import { element, objectIdentifier, sequence, setOf } from '../der/der-writer.ts'
import { openssl } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { commonNameOf, nameText, readName } from './distinguished-name.ts'

const attribute = (id: string, tag: number, value: Uint8Array | string) => sequence(objectIdentifier(id), element(tag, Buffer.from(value)))
const read = (name: Buffer) => readName(readElement(name))

/** The same Name as openssl prints it. It is put into a request whose signature is nonsense: openssl prints it all the same. */
function opensslText(name: Buffer): string {
  const key = Buffer.from('302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  const info = sequence(Buffer.of(2, 1, 0), name, key, Buffer.of(0xa0, 0))
  const csr = sequence(info, Buffer.from('300506032b6570', 'hex'), element(0x03, Buffer.alloc(65)))
  return openssl(['req', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8'], toPem('CERTIFICATE REQUEST', csr)).replace(/^subject=|\n$/g, '')
}

const names: [what: string, name: Buffer, text: string][] = [
  ['an empty name', sequence(), ''],
  ['order turned round', sequence(setOf(attribute('2.5.4.6', 0x13, 'DE')), setOf(attribute('2.5.4.3', 0x0c, 'x'))), 'CN=x,C=DE'],
  ['several attributes side by side', sequence(setOf(attribute('2.5.4.10', 0x0c, 'O')), setOf(attribute('2.5.4.3', 0x0c, 'x'), attribute('0.9.2342.19200300.100.1.1', 0x0c, 'u'))), 'UID=u+CN=x,O=O'],
  ['special characters', sequence(setOf(attribute('2.5.4.10', 0x0c, ' #a,b+c"d\\e<f>g;h=i '))), 'O=\\ #a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h=i\\ '],
  ['a leading number sign', sequence(setOf(attribute('2.5.4.10', 0x0c, '#1'))), 'O=\\#1'],
  ['one space', sequence(setOf(attribute('2.5.4.10', 0x0c, ' '))), 'O=\\ '],
  ['two spaces', sequence(setOf(attribute('2.5.4.10', 0x0c, '  '))), 'O=\\ \\ '],
  ['control characters', sequence(setOf(attribute('2.5.4.3', 0x0c, 'a\u0000b\nc\u007f'))), 'CN=a\\00b\\0Ac\\7F'],
  ['UTF-8', sequence(setOf(attribute('2.5.4.3', 0x0c, 'Bücher 書 😀'))), 'CN=Bücher 書 😀'],
  ['BMPString', sequence(setOf(attribute('2.5.4.3', 0x1e, Buffer.from('00420fc2', 'hex').subarray(0, 2)))), 'CN=B'],
  ['UniversalString', sequence(setOf(attribute('2.5.4.3', 0x1c, Buffer.from('000000420001f600', 'hex')))), 'CN=B😀'],
  ['TeletexString as Latin 1', sequence(setOf(attribute('2.5.4.3', 0x14, Buffer.from('42fc', 'hex')))), 'CN=Bü'],
  ['an attribute without a word', sequence(setOf(attribute('1.2.3.4.5', 0x0c, 'Ex'))), '1.2.3.4.5=#0C024578'],
  ['a value that is no text', sequence(setOf(attribute('2.5.4.3', 0x03, Buffer.of(0, 0xab)))), 'CN=#030200AB'],
  ['all kinds of words', sequence(setOf(attribute('2.5.4.15', 0x0c, 'b')), setOf(attribute('1.3.6.1.4.1.311.60.2.1.3', 0x13, 'DE')), setOf(attribute('2.5.4.97', 0x0c, 'i')), setOf(attribute('2.5.4.46', 0x13, 'q'))),
    'dnQualifier=q,organizationIdentifier=i,jurisdictionC=DE,businessCategory=b'],
]
for (const [what, name, text] of names) {
  test(`the text of a name is what openssl says: ${what}`, () => {
    assert.equal(nameText(read(name)), text)
    assert.equal(opensslText(name), text)
  })
}

test('attributes are found with identifier, word, text and bytes, one list per relative name', () => {
  const [[c], [cn, odd]] = read(sequence(setOf(attribute('2.5.4.6', 0x13, 'DE')), setOf(attribute('2.5.4.3', 0x0c, 'x'), attribute('1.2.3', 0x02, Buffer.of(7))))) as [[unknown], [unknown, unknown]]
  assert.deepEqual(c, { oid: '2.5.4.6', type: 'C', value: 'DE', readable: true, raw: Buffer.from('13024445', 'hex') })
  // The set is sorted by its bytes: the shorter one comes first.
  assert.deepEqual(cn, { oid: '1.2.3', type: '1.2.3', value: '#020107', readable: false, raw: Buffer.of(2, 1, 7) })
  assert.deepEqual(odd, { oid: '2.5.4.3', type: 'CN', value: 'x', readable: true, raw: Buffer.from('0c0178', 'hex') })
})

test('the last common name is the most specific', () => {
  assert.equal(commonNameOf(read(sequence(setOf(attribute('2.5.4.3', 0x0c, 'one')), setOf(attribute('2.5.4.3', 0x0c, 'two'))))), 'two')
  assert.equal(commonNameOf([]), null)
})
