import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contextsOf } from './contexts.ts'
import { findMasters, namedConfiguration } from './instance.ts'
import { parseGeneral, parseTlsBlocks } from './settings.ts'

const general = (lines: string) => parseGeneral(`protocols=imap pop3 sieve
listen=*, ::
ssl=yes
service/imap-login/protocol=imap
service/imap-login/inet_listener/imap/port=143
service/imap-login/inet_listener/imap/ssl=no
service/pop3-login/protocol=pop3
service/pop3-login/inet_listener/pop3s/port=995
service/pop3-login/inet_listener/pop3s/ssl=yes
service/submission-login/protocol=submission
service/submission-login/inet_listener/submission/port=587
service/imap-login/inet_listener/imaps/port=0
${lines}`)

/** "143 imap 127.0.0.1 name: certificate" */
function ways(blocks: string, lines = '', isThere: (socket: { address: string }) => boolean = () => true) {
  const { contexts, left } = contextsOf(general(lines), parseTlsBlocks(blocks), isThere)
  return { left, at: contexts.map(({ listener: { port, startTls }, address, serverName, settings }) => [port, startTls ?? 'tls', address, serverName].filter((part) => part !== null).join(' ') + `: ${settings.get('ssl_cert') ?? '-'}`) }
}

describe('where a certificate is met', () => {
  test('listeners of the protocols that are on, on both families', () => {
    assert.deepEqual(ways('ssl_cert = <a\n').at, ['143 imap 127.0.0.1: <a', '143 imap ::1: <a', '995 tls 127.0.0.1: <a', '995 tls ::1: <a'])
    assert.deepEqual(ways('ssl_cert = <a\n', '', ({ address }) => !address.includes(':')).at, ['143 imap 127.0.0.1: <a', '995 tls 127.0.0.1: <a'])
  })
  test('addresses of a listener, names among them told', () => {
    const { at, left } = ways('ssl_cert = <a\n', 'listen=127.0.0.1\nservice/pop3-login/inet_listener/pop3s/address=192.0.2.1, mail.test')
    assert.deepEqual(at, ['143 imap 127.0.0.1: <a', '995 tls 192.0.2.1: <a'])
    assert.match(left.join(), /pop3-login\/pop3s: it listens on the name mail\.test/)
  })
  const one = 'listen=127.0.0.1'
  test('a protocol of its own', () => assert.deepEqual(ways('ssl_cert = <a\nprotocol pop3 {\n  ssl_cert = <p\n}\n', one).at, ['143 imap 127.0.0.1: <a', '995 tls 127.0.0.1: <p']))
  test('a protocol without TLS', () => assert.deepEqual(ways('ssl_cert = <a\nprotocol imap {\n  ssl = no\n}\n', one).at, ['995 tls 127.0.0.1: <a']))
  test('names, several and with wildcards', () => {
    assert.deepEqual(ways('ssl_cert = <a\nlocal_name "A.test b.test" {\n  ssl_cert = <n\n}\nlocal_name *.c.test {\n  ssl_cert = <c\n}\n', one).at.slice(0, 4),
      ['143 imap 127.0.0.1: <a', '143 imap 127.0.0.1 a.test: <n', '143 imap 127.0.0.1 b.test: <n', '143 imap 127.0.0.1 certloop-proof.c.test: <c'])
  })
  test('an address, and a name within it', () => {
    const blocks = 'ssl_cert = <a\nlocal 127.0.0.1 {\n  ssl_cert = <l\n  local_name n.test {\n    ssl_cert = <n\n  }\n}\n'
    assert.deepEqual(ways(blocks, 'listen=*').at.slice(0, 3), ['143 imap 127.0.0.2: <a', '143 imap 127.0.0.1: <l', '143 imap 127.0.0.1 n.test: <n'])
  })
  test('blocks that contradict each other are refused by Dovecot, so nothing is proven there', () => {
    assert.deepEqual(ways('ssl_cert = <a\nprotocol pop3 {\n  ssl_cert = <p\n}\nlocal_name n.test {\n  ssl_cert = <n\n}\n', one).at, ['143 imap 127.0.0.1: <a', '143 imap 127.0.0.1 n.test: <n', '995 tls 127.0.0.1: <p'])
  })
  test('what only some clients are shown is told', () => {
    assert.match(ways('remote 192.0.2.1 {\n  ssl_cert = <r\n}\nlocal 10.0.0.0/8 {\n  ssl_cert = <l\n}\n', one).left.join(), /remote 192\.0\.2\.1.*local 10\.0\.0\.0\/8/)
  })
})

test('settings of other blocks are none of TLS', () => {
  const blocks = parseTlsBlocks('ssl_cert = <a\nservice imap-login {\n  inet_listener imaps {\n    ssl = yes\n  }\n}\nplugin {\n  ssl_key = x\n}\nssl_key = <k\nssl_alt_cert =\n}\n}\n')
  assert.deepEqual(blocks.map(({ filters, settings }) => [filters, [...settings]]), [[[], [['ssl_cert', '<a'], ['ssl_key', '<k'], ['ssl_alt_cert', '']]]])
})

test('masters, not their children, calls or other programs', () => {
  const entry = (pid: number, parentPid: number, argv: string[], name = 'dovecot') =>
    ({ pid, parentPid, argv, name, executable: `/usr/sbin/${name}`, uid: 0, gid: 0, user: 'root', workingDirectory: '/', service: null, container: null })
  const found = findMasters([
    entry(10, 1, ['/usr/sbin/dovecot', '-F']), entry(11, 10, ['dovecot/anvil'], 'anvil'), entry(12, 10, ['dovecot/x']), entry(20, 5, ['dovecot', '-c', '/x', 'reload']), entry(21, 5, ['dovecot', '-n']), entry(30, 1, ['dovecot', '-c', '/y']),
  ])
  assert.deepEqual(found.map(({ pid }) => pid), [10, 30])
  assert.deepEqual([['dovecot'], ['dovecot', '-c', '/a'], ['dovecot', '-F', '-c/b']].map((argv) => namedConfiguration({ argv })), [null, '/a', '/b'])
})
