import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commandSocket, socketsOf } from './addresses.ts'
import { isShortCall, readCommandLine } from './command-line.ts'
import { type ConfigLine, variablesIn, wordsOf } from './config-lines.ts'
import { parseCrtList } from './crt-list.ts'
import { answerers, namesFor, sample } from './names.ts'
import { readSections } from './sections.ts'

describe('words of a line', () => {
  const cases: [string, string[]][] = [
    ['bind :443 ssl # crt x', ['bind', ':443', 'ssl']],
    [String.raw`a\ b "c d" 'e "f' g\#h`, ['a b', 'c d', 'e "f', 'g#h']],
    ['"$A" \'$A\' $A "${A}x" "${B-none}" "${B}"', ['1', '$A', '$A', '1x', 'none', '']],
    [String.raw`"\$A" "\x41\n" pre"mid"post ""`, ['$A', 'A\n', 'premidpost', '']],
  ]
  for (const [text, words] of cases) test(text, () => assert.deepEqual(wordsOf(text, { A: '1' }), words))
  test('variables', () => assert.deepEqual(variablesIn('"${A}" "$B-${A}"'), ['A', 'B']))
})

test('the command line of a master after a reload', () => {
  const argv = ['haproxy', '-sf', '12', '13', '-x', 'sockpair@4', '-Ws', '-f', 'a.cfg', '-C', '/etc', '-f', 'b', '-L', 'peer', '-p', '/run/pid', '-S', '/run/master.sock,mode,600', '--', 'c.cfg', 'd.cfg']
  assert.deepEqual(readCommandLine(argv), { configuration: ['a.cfg', 'b', 'c.cfg', 'd.cfg'], masterWorker: true, masterSocket: '/run/master.sock,mode,600', reading: ['-L', 'peer'] })
  assert.deepEqual([['-c', '-f', 'x'], ['-vv'], ['-W', '-f', 'c']].map((words) => isShortCall(['haproxy', ...words])), [true, true, false])
})

test('addresses of bind lines and stats sockets', () => {
  const at = (address: string) => {
    const found = socketsOf(address)
    return 'sockets' in found ? found.sockets.map(({ address: ip, port }) => `${ip} ${port}`).join(', ') : found.reason
  }
  assert.deepEqual([':443', '*:443', 'ipv6@:443', '[::1]:443', '::1:443', ':::443', 'ipv4@127.0.0.1:80-82'].map(at), ['0.0.0.0 443', '0.0.0.0 443', ':: 443', '::1 443', '::1 443', ':: 443', '127.0.0.1 80, 127.0.0.1 81, 127.0.0.1 82'])
  assert.deepEqual(['/run/x.sock', 'abns@x', 'quic4@:443', 'host.test:443', 'fd@3'].map(at), ['/run/x.sock is no TCP port', 'abns@x is no TCP port', 'quic4@:443 speaks QUIC', 'host.test:443 is a host name', 'fd@3 is no TCP port'])
  assert.deepEqual(['/run/a', 'unix@/run/a', ':9999', 'fd@3'].map(commandSocket), [{ path: '/run/a' }, { path: '/run/a' }, { address: '127.0.0.1', port: 9999 }, undefined])
})

test('a crt-list with options, filters and comments', () => {
  assert.deepEqual(parseCrtList('# c\n\n a.pem !*\nb.pem [alpn h2 ciphers X] *.B.test !no.b.test\nc.pem\n').map(({ path, filters, excluded }) => [path, ...filters, '!', ...excluded]), [['a.pem', '!', '*'], ['b.pem', '*.b.test', '!', 'no.b.test'], ['c.pem', '!']])
})

const read = (text: string) => readSections(text.split('\n').map((line, i): ConfigLine => ({ file: 'f', line: i + 1, words: wordsOf(line, {}) })).filter(({ words }) => words.length > 0))

test('sections: what certificates depend on, without those that are off or in a condition', () => {
  const { binds, problems, statsSockets, crtBase, extraFiles, removesExtension, bufsize, processes } = read(`global
 crt-base /certs
 stats socket /run/a.sock level admin
 ssl-load-extra-files key ocsp
 ssl-load-extra-del-ext
 tune.bufsize 32768
 nbproc 2
frontend a
 bind :443,:444 ssl crt x.pem crt-list l alpn h2 name crt strict-sni
 bind :80
frontend off
 bind :445 ssl crt y.pem
 disabled
listen b
 bind :446 ssl default-crt d.pem crt e.pem accept-proxy
.if defined(X)
 bind :447 ssl crt z.pem
.endif
crt-store web
 load crt a.pem key a.key`)
  assert.deepEqual(binds.map(({ addresses, ssl, certificates, strictSni, unreachable }) => [addresses.join(), ssl, certificates.map(({ path }) => path).join(), strictSni, unreachable]), [
    [':443,:444', true, 'x.pem,l', true, null], [':80', false, '', false, null], [':446', true, 'd.pem,e.pem', false, 'it expects the PROXY protocol'],
  ])
  assert.deepEqual([statsSockets, crtBase, [...extraFiles], removesExtension, bufsize, processes], [['/run/a.sock'], '/certs', ['key', 'ocsp'], true, 32_768, 2])
  assert.deepEqual(problems.map(({ where }) => where), ['f:17', 'f:20'])
})

test('who answers for a name: the first of each kind of key, exact before wildcard', () => {
  const candidate = (id: string, keyType: string, names: string[], excluded: string[] = []) => ({ id, keyType, names, excluded })
  const all = [candidate('wild', 'ec', ['*.a.test'], ['no.a.test']), candidate('exact', 'ec', ['x.a.test']), candidate('late', 'ec', ['x.a.test']), candidate('rsa', 'rsa', ['*.a.test'])]
  const at = (name: string) => answerers(name, all).map(({ id }) => id).join(' ')
  assert.deepEqual([at('x.a.test'), at('y.a.test'), at('no.a.test'), at('a.test')], ['exact rsa', 'wild rsa', 'rsa', ''])
  assert.equal(sample('*.a.test', [...all, candidate('taken', 'ec', ['certloop-proof.a.test'])]), 'certloop-proof-2.a.test')
  assert.deepEqual([namesFor(['X.test'], ['y.test']), namesFor([], ['y.test', 'y.test'])], [['x.test'], ['y.test']])
})
