import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { conditionHolds, moduleFile } from './conditions.ts'
import { configLines, sectionOf, words } from './config-lines.ts'
import { type ParsedConfiguration, readConfigurationFiles } from './config-reader.ts'
import { parseDump } from './dump.ts'
import { globMatches, parseGlob } from './glob.ts'
import { tlsSettings } from './servers.ts'

test('lines: continuations, comments, both kinds of line ends', () => {
  assert.deepEqual([...configLines('# one\n\n  a b \\\n  c\r\nd # e\n#x \\\ny\nf \\')], [{ text: 'a b   c', line: 3 }, { text: 'd # e', line: 5 }, { text: 'f', line: 8 }])
})

describe('words', () => {
  const cases: [string, string[]][] = [
    ['A b  c', ['A', 'b', 'c']], ['A "b c" \'d e\'', ['A', 'b c', 'd e']], [String.raw`A "b \"c\" \\d" e\f`, ['A', String.raw`b "c" \d`, String.raw`e\f`]],
    ['A "" b', ['A', '', 'b']], ['A "open b', ['A', 'open b']], ['A b"c d"', ['A', 'b"c', 'd"']], ['', []],
  ]
  for (const [text, expected] of cases) test(text || 'nothing', () => assert.deepEqual(words(text), expected))
})

test('sections', () => {
  assert.deepEqual(sectionOf('<VirtualHost *:443 >'), { name: 'virtualhost', args: '*:443', closes: false })
  assert.deepEqual(sectionOf('</IfModule>'), { name: 'ifmodule', args: '', closes: true })
  assert.equal(sectionOf('< x'), undefined)
})

describe('patterns', () => {
  const cases: [string, string, boolean][] = [
    ['*.conf', 'a.conf', true], ['*.conf', 'a.conf~', false], ['[0-9]?-*', '10-x', true], ['[!0-9]*', '1', false], ['a[bc]', 'ac', true], ['a[', 'a[', true], ['**a*', 'xxax', true], ['', '', true], ['?', '', false],
  ]
  for (const [pattern, text, expected] of cases) test(`${pattern} ${text}`, () => assert.equal(globMatches(parseGlob(pattern, { sets: true }), text), expected))
  test('many stars take no time', () => assert.equal(globMatches(parseGlob(`${'*a'.repeat(100)}b`, { sets: true }), 'a'.repeat(5000)), false))
})

describe('conditions', () => {
  const state = { defines: new Map([['X', '']]), modules: new Set(['ssl_module', 'mod_ssl.c']), version: '2.4.62' }
  const cases: [string, string, boolean][] = [
    ['ifdefine', 'X', true], ['ifdefine', '!X', false], ['ifmodule', 'mod_ssl.c', true], ['ifmodule', '!ssl_module', false], ['ifmodule', 'mod_md.c', false],
    ['iffile', '/there', true], ['iffile', '!/there', false], ['ifversion', '2.4.62', true], ['ifversion', '>= 2.4', true], ['ifversion', '< 2.4.10', false], ['ifversion', '!>= 2.4', false],
    ['ifversion', '~ ^2[.]4', true], ['ifversion', '/^2.2/', false], ['ifversion', '~ (', false],
  ]
  for (const [section, args, expected] of cases) test(`${section} ${args}`, async () => assert.equal(await conditionHolds(section, args, state, async (file) => file === '/there'), expected))
  test('names of modules', () => assert.deepEqual(['mpm_event_module modules/mod_mpm_event.so', 'ssl_module /x/mod_ssl.so', 'php_module libphp.so'].map((line) => moduleFile(...line.split(' ') as [string, string])), ['event.c', 'mod_ssl.c', 'mod_php.c']))
})

/** A host that has these files and nothing else. */
function hostWith(files: Record<string, string>): Host {
  const unused = async () => { throw new Error('not for reading') }
  const folders = Object.keys(files).flatMap((file) => file.split('/').map((_, i, parts) => parts.slice(0, i).join('/') || '/'))
  return {
    kind: 'local', facts: unused, run: unused, stageFile: unused, linkFile: unused, renameFile: unused, removeFile: unused, makeDirectory: unused, removeDirectory: unused, placeScript: unused, removeScript: unused, connect: unused, processes: unused, listeners: unused,
    readFile: async (file) => (files[file] === undefined ? undefined : Buffer.from(files[file])),
    stat: async (file) => (files[file] !== undefined || folders.includes(file) ? { type: files[file] === undefined ? 'directory' as const : 'file' as const, size: 0, linkTarget: null, mode: 0o644, uid: 0, gid: 0 } : undefined),
    realPath: async (file) => (files[file] !== undefined || folders.includes(file) ? file : undefined),
    list: async (folder) => [...new Set(Object.keys(files).filter((file) => file.startsWith(folder === '/' ? '/' : `${folder}/`)).map((file) => file.slice(folder === '/' ? 1 : folder.length + 1).split('/')[0] ?? ''))],
  }
}
const read = (files: Record<string, string>): Promise<ParsedConfiguration> =>
  readConfigurationFiles(hostWith(files), { configurationPath: '/etc/x.conf', serverRoot: '/etc', defines: [], before: [], after: [], environment: { HOST: 'h' }, staticModules: ['core.c'], version: '2.4.62' })

test('own certificate files knock out inherited ones one by one; the rest stays; a missing key is in the certificate file', async () => {
  const parsed = await read({ '/etc/x.conf': 'SSLEngine on\nSSLCertificateFile a.crt\nSSLCertificateFile b.crt\nSSLCertificateKeyFile a.key\nServerRoot /srv\n<VirtualHost *:1>\nSSLCertificateFile c.crt\n</VirtualHost>\n<VirtualHost *:2>\nSSLEngine off\n</VirtualHost>\n<VirtualHost *:3>\nSSLCertificateFile pkcs11:object=x\n</VirtualHost>' })
  const [main, one, off, token] = [...tlsSettings(parsed).values()]
  assert.deepEqual(main?.pairs.map(({ certificatePath, keyPath }) => [certificatePath, keyPath]), [['/srv/a.crt', '/srv/a.key'], ['/srv/b.crt', '/srv/b.crt']])
  assert.deepEqual(one?.pairs.map(({ certificatePath, keyPath }) => [certificatePath, keyPath]), [['/srv/c.crt', '/srv/a.key'], ['/srv/b.crt', '/srv/b.crt']])
  assert.deepEqual([off?.tls, off?.pairs], [false, []])
  assert.match(token?.problems.join() ?? '', /"pkcs11:object=x" is no file/)
})

test('folders are included with all in them, sorted; a file that is not there is told', async () => {
  const { files, variables } = await read({ '/etc/x.conf': 'Include conf\nDefine X ${HOST}\n', '/etc/conf/b': 'A', '/etc/conf/a/c': 'B' })
  assert.deepEqual([files.map((file) => file.path), [...variables]], [['/etc/x.conf', '/etc/conf/a/c', '/etc/conf/b'], ['HOST']])
  await assert.rejects(read({}), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /x\.conf: there is no such file/ })
})

describe('what would never end or fill the memory is refused', () => {
  const doubling = Array.from({ length: 40 }, (_, i) => `Define A${i + 1} \${A${i}}\${A${i}}`).join('\n')
  const macros = Array.from({ length: 40 }, (_, i) => `<Macro M${i}>\nUse M${i + 1}\nUse M${i + 1}\n</Macro>`).join('\n')
  const cases: [string, string, RegExp][] = [
    ['a file that includes itself', 'Include x.conf', /too many includes/],
    ['variables that double', `Define A0 xxxxxxxx\n${doubling}`, /too long/],
    ['macros that double', `${macros}\n<Macro M40>\nA\n</Macro>\nUse M0`, /too many macros/],
    ['a macro that uses itself', '<Macro M>\nUse M\n</Macro>\nUse M', /too many macros/],
    ['a section without end', '<IfDefine NO>\nA', /<ifdefine> has no end/],
  ]
  for (const [title, text, message] of cases) test(title, { timeout: 60_000 }, async () => assert.rejects(read({ '/etc/x.conf': text }), { code: 'SERVER_CONFIGURATION_UNREADABLE', message }))
})

test('whatever a configuration holds, it is read or refused with a code', async () => {
  const line = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('<VirtualHost *:443>', '</VirtualHost>', '<IfModule x>', '</IfModule>', '<Macro M $a>', '</Macro>', 'Use M ${A}', 'Define A ${B}', 'SSLEngine on', 'SSLCertificateFile "', '<If', '</', 'Include *', 'ServerRoot ""', '<IfVersion', '\\'))
  await fc.assert(fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (lines) => {
    try {
      tlsSettings(await read({ '/etc/x.conf': lines.join('\n') }))
    } catch (error) {
      assert.ok(error instanceof CertloopError, String(error))
    }
  }), { numRuns: 500 })
})

test('httpd\'s own list', () => {
  const dump = parseDump(`Included configuration files:
  (*) /etc/apache2/apache2.conf
    (146) /etc/apache2/mods-enabled/ssl.load
VirtualHost configuration:
[::1]:443              x.test (/etc/apache2/a b.conf:28)
10.0.0.1:*             is a NameVirtualHost
         default server A.test (macro 'vh' (defined on line 18 of "/a.conf") used on line 25 of "/a.conf":1)
         port * namevhost A.test (macro 'vh' (defined on line 18 of "/a.conf") used on line 25 of "/a.conf":1)
                 alias www.a.test
                 wild alias *.a.test
         port * namevhost b.test (/b.conf:10)
ServerRoot: "/etc/apache2"
Loaded Modules:
 core_module (static)
 ssl_module (shared)
`)
  assert.deepEqual(dump, {
    includes: ['/etc/apache2/apache2.conf', '/etc/apache2/mods-enabled/ssl.load'], modules: ['core_module', 'ssl_module'],
    sockets: [
      { address: '::1', port: '443', hosts: [{ name: 'x.test', place: '/etc/apache2/a b.conf:28', aliases: [], wildAliases: [] }] },
      { address: '10.0.0.1', port: '*', hosts: [
        { name: 'a.test', place: 'macro \'vh\' (defined on line 18 of "/a.conf") used on line 25 of "/a.conf":1', aliases: ['www.a.test'], wildAliases: ['*.a.test'] },
        { name: 'b.test', place: '/b.conf:10', aliases: [], wildAliases: [] },
      ] },
    ],
  })
})
