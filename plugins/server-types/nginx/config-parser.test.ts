import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { type Directive, parseConfiguration, parseFile, splitDump } from './config-parser.ts'

/** As nested arrays: [name, ...args] or [name, ...args, [block]]. */
type Shape = (string | Shape[])[]
const shapeOf = (statements: readonly Directive[]): Shape[] => statements.map(({ name, args, block }) => [name, ...args, ...(block ? [shapeOf(block)] : [])])
const parse = (text: string) => shapeOf(parseFile(text, '/x.conf'))

describe('statements', () => {
  const cases: [string, string, Shape[]][] = [
    ['simple', 'user  nginx;\nworker_processes\tauto;', [['user', 'nginx'], ['worker_processes', 'auto']]],
    ['Windows line ends', 'a b;\r\nc {\r\n d e;\r\n}\r\n', [['a', 'b'], ['c', [['d', 'e']]]]],
    ['comments only at the beginning of a word', '# one { ; }\na b#c; # two\nd "#e" #f;\n g;', [['a', 'b#c'], ['d', '#e', 'g']]],
    ['a comment at the very end', 'a;#', [['a']]],
    ['quotes', 'log_format main \'$remote_addr "$request" \' "it\'s; {fine}";', [['log_format', 'main', '$remote_addr "$request" ', 'it\'s; {fine}']]],
    ['quotes within a word are letters', 'a b"c d\'e;', [['a', 'b"c', 'd\'e']]],
    ['empty text', 'server_name "";', [['server_name', '']]],
    ['escapes', String.raw`a "\"q\"" \;b c\ d e\\f \tg "x\.y";`, [['a', '"q"', String.raw`\;b`, String.raw`c\ d`, String.raw`e\f`, '\tg', String.raw`x\.y`]]],
    ['variable in braces', 'root /srv/${host}/www;', [['root', '/srv/${host}/www']]],
    ['regular expression with braces needs quotes', 'location ~ "^/[a-z]{2}/$" { return 204; }', [['location', '~', '^/[a-z]{2}/$', [['return', '204']]]]],
    ['regular expression ending in a dollar', 'location ~ \\.php$ { a; }', [['location', '~', '\\.php$', [['a']]]]],
    ['condition with a quote before the bracket', 'if ($http_user_agent ~* "MSIE [5-6]\\.") { return 403; }', [['if', '($http_user_agent', '~*', 'MSIE [5-6]\\.', ')', [['return', '403']]]]],
    ['block without blanks', 'http{server{listen 80;}}', [['http', [['server', [['listen', '80']]]]]]],
    ['closing brace within a word', 'a b}c;', [['a', 'b}c']]],
    ['a text over several lines', 'a "b\nc" d\n  e;', [['a', 'b\nc', 'd', 'e']]],
    ['map with patterns', 'map $a $b { default 0; ~*^/x 1; "~ y;z" 2; include /m; }', [['map', '$a', '$b', [['default', '0'], ['~*^/x', '1'], ['~ y;z', '2'], ['include', '/m']]]]],
    ['semicolon right after a quote', 'a "b";c \'d\'{}', [['a', 'b'], ['c', 'd', []]]],
    ['UTF-8', 'server_name müller.example "☃";', [['server_name', 'müller.example', '☃']]],
    ['Lua', 'content_by_lua_block {\n local s = "}" -- }\n local t = { a = [[ } ]], b = \'\\\'}\' } --[=[ } ]] ]=]\n}\nlisten 1;', [['content_by_lua_block', []], ['listen', '1']]],
    ['nothing', ' \n#x', []],
  ]
  for (const [title, text, expected] of cases) test(title, () => assert.deepEqual(parse(text), expected))
})

describe('mistakes are told with file and line', () => {
  const cases: [string, string, RegExp][] = [
    ['missing semicolon', 'a b\n', /x\.conf, line 1: "a" has no end/],
    ['missing semicolon before a brace', 'http {\n server {\n  listen 80\n }\n}', /line 4: unexpected "}" after "listen"/],
    ['missing brace', 'http {\n server {\n}\n', /line 1: a block that begins here/],
    ['brace too many', 'a;\n}\n', /line 2: unexpected "}"/],
    ['lonely semicolon', 'a;\n\n;', /line 3: unexpected ";"/],
    ['lonely block', '{}', /line 1: unexpected "{"/],
    ['open quote', 'a;\nb "c;\nd;', /line 2: a text in " quotes/],
    ['text after a quote', 'a "b"c;', /line 1: unexpected "c" after a closing quote/],
    ['open Lua', 'x_by_lua_block { if "}" then', /line 1: a block of Lua/],
    ['depth', 'a{'.repeat(300), /more than 200 blocks/],
  ]
  for (const [title, text, message] of cases) {
    test(title, () => assert.throws(() => parseFile(text, '/x.conf'), (error) => error instanceof CertloopError && error.code === 'SERVER_CONFIGURATION_UNREADABLE' && message.test(error.message)))
  }
})

test('lines are those of the first word', () => {
  const [, server] = parseFile('# c\na "x\ny";\n\nserver\n{\n  listen 1;\n}\n', '/x.conf')
  assert.deepEqual([server?.line, server?.block?.[0]?.line], [5, 7])
})

test('the parser ends with statements or its own error, whatever the text', () => {
  const piece = fc.constantFrom('{', '}', ';', '"', '\'', '\\', '$', '${', '#', '\n', ' ', 'a', 'b_by_lua_block', '--', '[[', ']]', '[=[', ')', 'include', 'server')
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.array(piece, { maxLength: 60 }).map((parts) => parts.join('')))
  fc.assert(fc.property(text, (input) => {
    try {
      parseFile(input, '/x')
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'SERVER_CONFIGURATION_UNREADABLE', String(error))
    }
  }), { numRuns: 3000 })
})

test('what is written in nginx\'s way is read back', () => {
  const word = fc.string({ maxLength: 8 })
  const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
  const statement = fc.letrec<{ tree: Shape; leaf: Shape }>((tie) => ({
    leaf: fc.array(word, { minLength: 1, maxLength: 4 }),
    tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), fc.tuple(word, fc.array(tie('tree'), { maxLength: 3 })).map(([name, block]) => [name, block])),
  })).tree
  const write = (shape: Shape): string => shape.map((part) => (typeof part === 'string' ? quoted(part) : `{ ${part.map(write).join(' ')} }`)).join(' ') + (typeof shape.at(-1) === 'string' ? ';' : '')
  fc.assert(fc.property(fc.array(statement), (shapes) => {
    const isLua = JSON.stringify(shapes).includes('_by_lua_block')
    fc.pre(!isLua)
    assert.deepEqual(parse(shapes.map(write).join('\n')), shapes)
  }))
})

test('a megabyte is read in reasonable time', () => {
  const started = performance.now()
  parseFile('server { listen 80; server_name a.example; }\n'.repeat(25_000), '/x')
  for (const hostile of ['"', '\\', '[', 'a_by_lua_block { [', '{', '$', '#']) assert.throws(() => parseFile(`a ${hostile.repeat(200_000)}`, '/x'))
  assert.ok(performance.now() - started < 20_000)
})

const dumpOf = (files: Record<string, string>) => Object.entries(files).map(([path, text]) => `# configuration file ${path}:\n${text}\n`).join('')

describe('the dump of nginx -T', () => {
  test('is taken apart by file', async () => {
    const files = { '/etc/nginx/nginx.conf': 'a;\ninclude x;\n', '/etc/nginx/empty': '', '/etc/nginx/no-line-end': 'b;' }
    for (const read of [async () => undefined, async (path: string) => (files as Record<string, string>)[path]]) {
      assert.deepEqual(await splitDump(dumpOf(files), read), Object.entries(files).map(([path, text]) => ({ path, text })))
    }
    assert.deepEqual(await splitDump('', async () => undefined), [])
  })

  test('lines in a file that look like the dump\'s own do not split it', async () => {
    const main = 'a;\n\n# configuration file /etc/nginx/mime.types:\ntypes { text/html html; }\n'
    const files: Record<string, string> = { '/etc/nginx/nginx.conf': main, '/etc/nginx/other': 'b;\n' }
    assert.deepEqual(await splitDump(dumpOf(files), async (path) => files[path]), Object.entries(files).map(([path, text]) => ({ path, text })))
  })

  test('a file that changed meanwhile is taken as the dump shows it', async () => {
    const dump = dumpOf({ '/a': 'old;\n', '/b': 'x;\n' })
    assert.deepEqual(await splitDump(dump, async (path) => (path === '/a' ? 'new and longer;\n' : undefined)), [{ path: '/a', text: 'old;\n' }, { path: '/b', text: 'x;\n' }])
  })
})

describe('includes', () => {
  const shape = (files: Record<string, string>) => shapeOf(parseConfiguration(Object.entries(files).map(([path, text]) => ({ path, text })), '/etc/nginx'))

  test('relative, absolute, in order of their names, as glob(3) finds them', () => {
    assert.deepEqual(shape({
      '/etc/nginx/nginx.conf': 'http { include conf.d/*.conf; include /srv/[ab]?.conf; include none/*; }',
      '/etc/nginx/conf.d/b.conf': 'b;', '/etc/nginx/conf.d/a.conf': 'a;', '/etc/nginx/conf.d/.hidden.conf': 'h;',
      '/etc/nginx/conf.d/sub/c.conf': 'c;', '/etc/nginx/conf.d/x.conf.bak': 'x;', '/srv/b1.conf': 'b1;', '/srv/c1.conf': 'c1;', '/srv/a12.conf': 'n;',
    }), [['http', [['a'], ['b'], ['b1']]]])
  })

  test('the same file in two places, nested, and special letters in names', () => {
    assert.deepEqual(shape({
      '/etc/nginx/nginx.conf': 'include s+(1).conf; x { include s+(1).conf; } include d/\\*.conf; include d/[!a]z; include d/[z-a]q;',
      '/etc/nginx/s+(1).conf': 'include deep;', '/etc/nginx/deep': 'y;', '/etc/nginx/d/az': 'n;', '/etc/nginx/d/bz': 'z;',
    }), [['y'], ['x', [['y']]], ['z']])
  })

  test('mistakes are told with the included file', () => {
    assert.throws(() => shape({ '/etc/nginx/nginx.conf': 'include a;', '/etc/nginx/a': '\n}' }), /\/etc\/nginx\/a, line 2/)
    assert.throws(() => shape({ '/etc/nginx/nginx.conf': 'include nginx.conf;' }), /go round/)
    assert.throws(() => shape({ '/etc/nginx/nginx.conf': 'include *; include *;', '/etc/nginx/b': 'include *; include *;' }), /go round|too deep/)
    assert.throws(() => shape({}), /no configuration file/)
  })
})
