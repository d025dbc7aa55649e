import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseFile } from './config-parser.ts'
import { parseListen } from './listen.ts'
import { findServers } from './servers.ts'
import { findPairs } from './slots.ts'
import { withKeyTypes } from '../shared/pem-files/pairs.ts'

function pairsOf(text: string) {
  const { pairs, problems } = findPairs(findServers(parseFile(text, '/etc/nginx/nginx.conf'), { confFolder: '/etc/nginx', hostName: 'Host.example' }))
  return {
    problems: problems.map(({ where, reason }) => `${where}: ${reason}`),
    left: pairs.flatMap((pair) => pair.left),
    pairs: Object.fromEntries(pairs.map((pair) => [`${pair.certificatePath} ${pair.keyPath}`, { names: pair.names, at: pair.endpoints.map(({ address, port, serverName }) => `${address} ${port} ${serverName ?? '-'}`) }])),
  }
}
/** A server with its own pair. */
const server = (name: string, lines: string) => `server { ${lines} ssl_certificate ${name}.crt; ssl_certificate_key ${name}.key; }`
const http = (...servers: string[]) => `http { ${servers.join('\n')} }`
/** Where the pair of this name is proven. */
const endpointsOf = (text: string, name: string) => pairsOf(text).pairs[`/etc/nginx/${name}.crt /etc/nginx/${name}.key`]?.at

describe('listen', () => {
  const cases: [string, string[]][] = [
    ['443 ssl', ['0.0.0.0 443 tls']],
    ['*:443 ssl http2', ['0.0.0.0 443 tls']],
    ['443', ['0.0.0.0 443']],
    ['192.0.2.1 ssl', ['192.0.2.1 80 tls']],
    ['192.0.2.1:8443 ssl default_server', ['192.0.2.1 8443 tls default']],
    ['192.0.2.1:8443 default ssl', ['192.0.2.1 8443 tls default']],
    ['[::]:443 ssl ipv6only=on', [':: 443 tls']],
    ['[2001:DB8:0:0::1]:443 ssl', ['2001:db8::1 443 tls']],
    ['[::1]', ['::1 80']],
    ['localhost:443 ssl', ['127.0.0.1 443 tls']],
    ['8000-8002 ssl', ['0.0.0.0 8000 tls', '0.0.0.0 8001 tls', '0.0.0.0 8002 tls']],
    ['127.0.0.1:8000-8001 ssl', ['127.0.0.1 8000 tls', '127.0.0.1 8001 tls']],
    ['443 ssl proxy_protocol', ['0.0.0.0 443 tls proxy']],
    ['unix:/run/nginx.sock ssl', []],
    ['443 quic reuseport', []],
    ['web.example:443 ssl', []],
    ['99999 ssl', []],
    ['', []],
  ]
  for (const [line, expected] of cases) {
    test(line || 'nothing', () => assert.deepEqual(parseListen(line.split(' ')).sockets.map((s) => [s.address, s.port, ...(s.tls ? ['tls'] : []), ...(s.isDefault ? ['default'] : []), ...(s.proxyProtocol ? ['proxy'] : [])].join(' ')), expected))
  }
  test('a huge range is cut', () => assert.equal(parseListen(['1-65535']).sockets.length, 64))
})

describe('paths', () => {
  test('relative ones start in the folder of the configuration', () => {
    const text = http('server { listen 443 ssl; ssl_certificate ssl/a.crt; ssl_certificate_key /k/a.key; }')
    assert.deepEqual(Object.keys(pairsOf(text).pairs), ['/etc/nginx/ssl/a.crt /k/a.key'])
  })

  test('http level counts where the server says nothing; the server\'s own replace all of it', () => {
    const text = `http { ssl_certificate d.crt; ssl_certificate_key d.key;
      server { listen 443 ssl; server_name a.test; }
      server { listen 443 ssl; server_name b.test; ssl_certificate b.crt; ssl_certificate_key b.key; }
      server { listen 443 ssl; server_name c.test; ssl_certificate_key c.key; ssl_certificate c.crt; } }`
    assert.deepEqual(pairsOf(text).pairs, {
      '/etc/nginx/d.crt /etc/nginx/d.key': { names: ['a.test'], at: ['127.0.0.1 443 -', '127.0.0.1 443 a.test'] },
      '/etc/nginx/b.crt /etc/nginx/b.key': { names: ['b.test'], at: ['127.0.0.1 443 b.test'] },
      '/etc/nginx/c.crt /etc/nginx/c.key': { names: ['c.test'], at: ['127.0.0.1 443 c.test'] },
    })
  })

  test('a key of the server beside a certificate of http', () => {
    const text = 'http { ssl_certificate d.crt; server { listen 443 ssl; ssl_certificate_key s.key; } }'
    assert.deepEqual(Object.keys(pairsOf(text).pairs), ['/etc/nginx/d.crt /etc/nginx/s.key'])
  })

  test('pairs for two kinds of keys, in order', () => {
    const text = http('server { listen 443 ssl; ssl_certificate r.crt; ssl_certificate e.crt; ssl_certificate_key r.key; ssl_certificate_key e.key; }')
    assert.deepEqual(Object.keys(pairsOf(text).pairs), ['/etc/nginx/r.crt /etc/nginx/r.key', '/etc/nginx/e.crt /etc/nginx/e.key'])
    const [first] = findPairs(findServers(parseFile(text, '/x'), { confFolder: '/', hostName: 'h' })).pairs
    assert.deepEqual(first && withKeyTypes(first, 'rsa').map(({ keyType }) => keyType), ['rsa'])
    const [single] = findPairs(findServers(parseFile(http(server('a', 'listen 443 ssl;')), '/x'), { confFolder: '/', hostName: 'h' })).pairs
    assert.deepEqual(single && withKeyTypes(single, 'rsa').map(({ keyType }) => keyType), [null])
  })

  test('what is no file is a problem, and the rest goes on', () => {
    const text = http(
      'server { listen 443 ssl; ssl_certificate /c/$ssl_server_name.crt; ssl_certificate_key /c/k.key; }',
      'server { listen 444 ssl; ssl_certificate e.crt; ssl_certificate_key engine:pkcs11:id; }',
      'server { listen 445 ssl; ssl_certificate data:$x; ssl_certificate_key data:$y; }', server('ok', 'listen 446 ssl;'))
    const { pairs, problems } = pairsOf(text)
    assert.deepEqual(Object.keys(pairs), ['/etc/nginx/ok.crt /etc/nginx/ok.key'])
    assert.match(problems.join('\n'), /line 1: ssl_certificate .*variable[^]*line 2: ssl_certificate_key "engine:pkcs11:id" is not a file[^]*line 3/)
  })

  test('a file that several servers name is one place', () => {
    const text = http(server('a', 'listen 443 ssl; server_name one.test;'), server('a', 'listen 443 ssl; server_name two.test;'), server('a', 'listen 8443 ssl; server_name one.test;'))
    assert.deepEqual(pairsOf(text).pairs, { '/etc/nginx/a.crt /etc/nginx/a.key': { names: ['one.test', 'two.test'], at: ['127.0.0.1 443 -', '127.0.0.1 443 one.test', '127.0.0.1 443 two.test', '127.0.0.1 8443 -', '127.0.0.1 8443 one.test'] } })
  })
})

describe('sockets', () => {
  test('without TLS there is no place', () => assert.deepEqual(pairsOf(http(server('a', 'listen 80;'))).pairs, {}))
  test('ssl said once for a socket holds for all servers on it', () => {
    const text = http(server('a', 'listen 443 ssl; server_name a.test;'), server('b', 'listen *:443; server_name b.test;'))
    assert.deepEqual(endpointsOf(text, 'b'), ['127.0.0.1 443 b.test'])
  })
  test('"ssl on" of old configurations', () => assert.deepEqual(endpointsOf(`http { ssl on; ${server('a', 'listen 443;')} }`, 'a'), ['127.0.0.1 443 -']))
  test('all addresses of both families, a certain one, and plain ones beside', () => {
    assert.deepEqual(endpointsOf(http(server('a', 'listen 80; listen 443 ssl; listen [::]:443 ssl; listen 192.0.2.7:8443 ssl; server_name a.test;')), 'a'),
      ['127.0.0.1 443', '::1 443', '192.0.2.7 8443'].flatMap((at) => [`${at} -`, `${at} a.test`]))
  })
  test('a socket of its own on 127.0.0.1 is not mistaken for the one on all addresses', () => {
    const text = http(server('a', 'listen 443 ssl;'), server('b', 'listen 127.0.0.1:443 ssl;'))
    assert.deepEqual([endpointsOf(text, 'a'), endpointsOf(text, 'b')], [['127.0.0.2 443 -'], ['127.0.0.1 443 -']])
  })
  test('what can\'t be proven is told', () => {
    const { pairs, left } = pairsOf(http(server('a', 'listen unix:/s ssl; listen 443 quic;'), server('p', 'listen 443 ssl; server_name p.test;'), server('q', 'listen 443 ssl proxy_protocol; server_name q.test;')))
    assert.deepEqual(Object.values(pairs).map(({ at }) => at), [[], [], []])
    assert.match(left.join('\n'), /unix socket[^]*QUIC[^]*PROXY protocol/)
  })
  test('mail: TLS at once is proven without a name, STARTTLS is told', () => {
    const { pairs, left } = pairsOf(`mail { ssl_certificate m.crt; ssl_certificate_key m.key;
      server { listen 993 ssl; protocol imap; server_name mail.test; } server { listen 587; protocol smtp; starttls on; } }`)
    assert.deepEqual(pairs, { '/etc/nginx/m.crt /etc/nginx/m.key': { names: [], at: ['127.0.0.1 993 -'] } })
    assert.deepEqual(left, ['it speaks STARTTLS'])
  })
  test('stream', () => assert.deepEqual(endpointsOf(`stream { ${server('s', 'listen 5432 ssl; listen 53 udp;')} }`, 's'), ['127.0.0.1 5432 -']))
  test('a server that refuses handshakes shows nothing and still is the default', () => {
    const text = http(server('x', 'listen 443 ssl default_server; ssl_reject_handshake on;'), server('a', 'listen 443 ssl; server_name a.test ~regex;'))
    assert.deepEqual([endpointsOf(text, 'x'), endpointsOf(text, 'a')], [undefined, ['127.0.0.1 443 a.test']])
  })
})

describe('names', () => {
  const second = (names: string, other = 'other.test') => endpointsOf(http(server('first', `listen 443 ssl; server_name ${other};`), server('b', `listen 443 ssl; server_name ${names};`)), 'b')
  const cases: [string, string, string[], string?][] = [
    ['exact, in lower case', 'WWW.Example.COM example.com', ['www.example.com', 'example.com']],
    ['wildcard in front gets a label', '*.example.com', ['certloop-proof.example.com']],
    ['with the base', '.example.com', ['example.com', 'certloop-proof.example.com']],
    ['a label that somebody else has', '*.example.com', ['certloop-proof-2.example.com'], 'certloop-proof.example.com'],
    ['a longer wildcard of another server', '*.example.com', ['certloop-proof.example.com'], '*.sub.example.com'],
    ['of two wildcards the longer wins', '*.sub.example.com', ['certloop-proof.sub.example.com'], '*.example.com'],
    ['the same name again goes to the first server', 'other.test b.test', ['b.test']],
    ['nginx ignores all of .x when somebody has x', '.example.com', [], 'example.com'],
    ['or *.x', '.example.com', [], '*.example.com'],
    ['and x when somebody has .x', 'example.com', [], '.example.com'],
    ['*.x beside x', '*.example.com', ['certloop-proof.example.com'], 'example.com'],
    ['wildcard at the end', 'www.example.*', ['www.example.invalid']],
    ['the host\'s name', '$hostname', ['host.example']],
    ['no names that clients send', '_ "" 192.0.2.1 a..b *.', []],
    ['regular expressions alone', '~^(?<x>.+)\\.test$', []],
    ['regular expressions of others do not matter for exact names', 'b.test', ['b.test'], '~^b'],
  ]
  for (const [title, names, expected, other] of cases) test(title, () => assert.deepEqual(second(names, other) ?? [], expected.map((name) => `127.0.0.1 443 ${name}`)))

  test('the default server answers without a name, be it marked or first', () => {
    const text = http(server('a', 'listen 443 ssl; server_name a.test;'), server('b', 'listen 443 ssl default_server; server_name ~b;'))
    assert.deepEqual([endpointsOf(text, 'a'), endpointsOf(text, 'b')], [['127.0.0.1 443 a.test'], ['127.0.0.1 443 -']])
  })
  test('names for the certificate: no regular expressions, no wildcards at the end', () => {
    const text = http(server('a', 'listen 443 ssl; server_name a.test .b.test *.c.test d.* ~e _ "";'))
    assert.deepEqual(Object.values(pairsOf(text).pairs)[0]?.names, ['a.test', 'b.test', '*.b.test', '*.c.test'])
  })
})
