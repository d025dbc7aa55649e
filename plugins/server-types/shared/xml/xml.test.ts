import type { Host } from '@certloop/plugin-kit'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { descendants, parseXml, type XmlElement } from './document.ts'
import { readXmlFile } from './read-file.ts'
import { xmlTokens } from './tokens.ts'

interface Tree { name: string; attributes: [string, string][]; children: (Tree | string)[] }

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.:-]{0,6}$/)
const value = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll(/[\p{C}\p{Z}]/gu, ' '))
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    name,
    attributes: fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 3 }),
    children: fc.array(fc.oneof({ depthSize: 'small' }, value, tie('tree')), { maxLength: 4 }),
  }),
}))

/** How somebody might have written it: quotes, entities, comments and spaces as the choices fall. */
function written({ name: tag, attributes, children }: Tree, choose: (many: number) => number): string {
  const entity = (text: string) => text.replaceAll(/[<>&"']/g, (c) => [`&#${c.charCodeAt(0)};`, `&#x${c.charCodeAt(0).toString(16)};`, `&${{ '<': 'lt', '>': 'gt', '&': 'amp', '"': 'quot', "'": 'apos' }[c]};`][choose(3)] ?? '')
  const space = () => ['', ' ', '\n\t'][choose(3)]
  const noise = () => ['', '<!-- <x> & "--> ', '<?pi <x> ?>'][choose(3)]?.replace('--> ', '-->')
  const written_ = attributes.map(([key, text]) => { const quote = choose(2) === 0 ? '"' : "'"; return ` ${space()}${key}${space()}=${space()}${quote}${entity(text)}${quote}` }).join('')
  const content = children.map((child) => `${noise()}${typeof child !== 'string' ? written(child, choose) : choose(3) === 0 && !child.includes(']]>') ? `<![CDATA[${child}]]>` : entity(child)}`).join('')
  return content === '' && choose(2) === 0 ? `<${tag}${written_}${space()}/>` : `<${tag}${written_}${space()}>${content}</${tag}>`
}

const plain = ({ name: tag, attributes, children, text }: XmlElement): unknown => ({ tag, attributes: [...attributes], text, children: children.map(plain) })
const expected = ({ name: tag, attributes, children }: Tree): unknown => ({
  tag, attributes, text: children.filter((child) => typeof child === 'string').join(''), children: children.filter((child) => typeof child !== 'string').map(expected),
})

test('whatever way a document is written, its tokens are the whole text and its elements are what was meant', () => {
  fc.assert(fc.property(tree, fc.infiniteStream(fc.nat(1000)), (meant, choices) => {
    const text = `<?xml version="1.0"?>\n<!DOCTYPE x [<!-- ' ]> --> <!ENTITY e "<b>">]>\n${written(meant, (many) => (choices.next().value ?? 0) % many)}\n<!-- end -->`
    assert.equal([...xmlTokens(text)].map(({ start, end }) => text.slice(start, end)).join(''), text)
    assert.deepEqual(plain(parseXml(text)), expected(meant))
  }), { numRuns: 300 })
})

test('any text is read or refused with a line, never anything else', () => {
  const bits = fc.constantFrom('<', '>', '/', 'a', ' ', '"', '=', '<!--', '-->', '<![CDATA[', ']]>', '<!DOCTYPE', '&', ';', '<a>', '</a>', '[', ']', '\n')
  fc.assert(fc.property(fc.array(bits, { maxLength: 20 }), (parts) => {
    try {
      parseXml(parts.join(''))
    } catch (error) {
      assert.ok(error instanceof Error && 'line' in error && Number(error.line) >= 1, String(error))
    }
  }), { numRuns: 500 })
})

test('what is not well-formed is told with its line', () => {
  const problem = (text: string) => {
    try { return plain(parseXml(text)) } catch (error) { return error instanceof Error && 'line' in error ? `${String(error.line)}: ${error.message}` : error }
  }
  assert.equal(problem('<a>\n<b>\n</a>'), '3: </a> closes <b> of line 2')
  assert.equal(problem('<a>\n<b>'), '2: <b> is not closed')
  assert.equal(problem('<a x="1" x="2"/>'), '1: <a> has the attribute x twice')
  assert.equal(problem('<a>\n&nope;</a>'), '2: &nope; is no entity that is known')
  assert.equal(problem('<a>\n<!-- </a>'), '2: a comment does not end')
  assert.equal(problem('<a>\n<b c=d/></a>'), '2: the tag <b c=d/> is not well-formed')
  assert.equal(problem('<a/>\n<b/>'), '2: there is something behind its last tag')
  assert.equal(problem(''), '1: it holds no element')
  assert.match(String(problem(`<!DOCTYPE a [<!ENTITY a "&b;&b;"><!ENTITY b "&a;&a;">]>\n<a>&a;</a>`)), /grows without end|nested too deep/)
  assert.match(String(problem(`<!DOCTYPE a [${Array.from({ length: 30 }, (_, i) => `<!ENTITY e${i} "&e${i + 1};&e${i + 1};">`).join('')}<!ENTITY e30 "x">]><a>&e0;</a>`)), /grows without end/)
  assert.match(String(problem(`${'<a>'.repeat(300)}${'</a>'.repeat(300)}`)), /nested too deep/)
})

const hostWith = (files: Record<string, string | Uint8Array>): Host => ({ readFile: async (file: string) => (files[file] === undefined ? undefined : Buffer.from(files[file])) }) as unknown as Host

test('a file is read with those its entities name, in its encoding', async () => {
  const main = '<!DOCTYPE Server [<!ENTITY more SYSTEM "sub/more.xml"><!ENTITY pw "p&amp;w">]>\n<Server a="&pw;"><Service>&more;</Service></Server>'
  const { root, texts } = await readXmlFile(hostWith({ '/c/server.xml': main, '/c/sub/more.xml': '<?xml version="1.0"?><Connector\n port="1"/><Connector/>' }), '/c/server.xml')
  assert.equal(root.attributes.get('a'), 'p&w')
  assert.deepEqual(descendants(root, 'Service', 'Connector').map(({ attributes, line }) => [attributes.get('port'), line]), [['1', 1], [undefined, 2]])
  assert.deepEqual(texts.map(({ path }) => path), ['/c/server.xml', '/c/sub/more.xml'])
  const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a b="\u00e4"/>', 'latin1')
  assert.equal((await readXmlFile(hostWith({ '/x': latin }), '/x')).root.attributes.get('b'), '\u00e4')
  assert.equal((await readXmlFile(hostWith({ '/x': Buffer.from('\uFEFF<a b="\u00e4"/>', 'utf16le') }), '/x')).root.attributes.get('b'), '\u00e4')
})

test('files that can not be had or read are told with path and line', async () => {
  const code = 'SERVER_CONFIGURATION_UNREADABLE'
  await assert.rejects(readXmlFile(hostWith({}), '/x'), { code, message: '/x is not there.' })
  await assert.rejects(readXmlFile(hostWith({ '/x': '<a>\n</b>' }), '/x'), { code, message: '/x is not well-formed XML: line 2: </b> closes <a> of line 1.' })
  await assert.rejects(readXmlFile(hostWith({ '/x': Uint8Array.of(60, 0xff) }), '/x'), { code, message: /encoding utf-8/ })
  await assert.rejects(readXmlFile(hostWith({ '/x': '<!DOCTYPE a [<!ENTITY m SYSTEM "http://x/m.xml">]><a>&m;</a>' }), '/x'), { code, message: /http:\/\/x\/m.xml of &m; is not there/ })
})
