import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pairsOfChainFiles } from './chain-files.ts'
import { parseSettings, smtpServices, socketsOf, tlsOf, unprovable } from './services.ts'

const key = '-----BEGIN EC PRIVATE KEY-----\n'
const certificate = '-----BEGIN CERTIFICATE-----\n'

describe('smtpd_tls_chain_files', () => {
  const found = (files: Record<string, string | undefined>) => pairsOfChainFiles(Object.entries(files).map(([path, content]) => ({ path, content })))
    .map((one) => ('problem' in one ? one.problem : `${one.pair.certificatePath} ${one.pair.keyPath}${one.keyFirst ? ' key first' : ''}`))
  const cases: [string, Record<string, string | undefined>, string[]][] = [
    ['one file for both', { '/a': key + certificate + certificate }, ['/a /a key first']],
    ['with EC parameters', { '/a': `-----BEGIN EC PARAMETERS-----\n${key}${certificate}` }, ['/a /a key first']],
    ['a key and its certificates', { '/k': key, '/c': certificate }, ['/c /k']],
    ['two pairs, mixed', { '/k': key, '/c': certificate, '/b': key + certificate }, ['/c /k', '/b /b key first']],
    ['a certificate before its key', { '/a': certificate + key }, ['/a holds a certificate before its key; Postfix takes the key first']],
    ['a certificate alone', { '/c': certificate }, ['/c holds a certificate before its key; Postfix takes the key first']],
    ['two keys in one file', { '/a': key + certificate + key + certificate }, ['/a holds several keys; give each certificate a file of its own']],
    ['a key without a certificate', { '/k': key, '/l': key }, ['/k holds a key whose certificate does not follow', '/l holds a key whose certificate does not follow']],
    ['missing', { '/k': key, '/x': undefined }, ['/k holds a key whose certificate does not follow', '/x is not there or can not be read']],
    ['something else', { '/x': 'hello' }, ['/x holds neither a key nor a certificate']],
  ]
  for (const [title, files, expected] of cases) test(title, () => assert.deepEqual(found(files), expected))
})

const main = (text: string) => parseSettings(`inet_interfaces = all\ninet_protocols = all\nsmtpd_tls_security_level = may\n${text}`)
const services = (fields: string, overrides = '', more = '') => smtpServices(main(more), fields, overrides)

test('only sockets of smtpd and postscreen, each with its overrides', () => {
  const found = services('smtp/inet/command = smtpd -v\nsmtp/inet/type = inet\n[::1]:465/inet/command = /usr/lib/postfix/sbin/smtpd -o x\nsmtp/unix/command = smtp\nsmtpd/pass/command = smtpd\n628/inet/command = qmqpd', '[::1]:465/inet/smtpd_tls_wrappermode = yes\nsmtp/unix/smtp_tls_security_level = none')
  assert.deepEqual(found.map((service) => [service.name, tlsOf(service)]), [['smtp', 'starttls'], ['[::1]:465', 'at-once']])
})

test('levels of TLS, new and old', () => {
  const tls = (more: string) => services('smtp/inet/command = smtpd', '', more).map(tlsOf)[0]
  const cases: [string, ReturnType<typeof tls>][] = [
    ['', 'starttls'], ['smtpd_tls_security_level = encrypt', 'starttls'], ['smtpd_tls_security_level = none', undefined], ['smtpd_tls_security_level =', undefined],
    ['smtpd_tls_security_level =\nsmtpd_use_tls = yes', 'starttls'], ['smtpd_tls_security_level = none\nsmtpd_use_tls = yes', undefined], ['smtpd_tls_security_level =\nsmtpd_tls_wrappermode = yes', 'at-once'],
  ]
  for (const [more, expected] of cases) assert.equal(tls(more), expected, more)
})

test('behind postscreen the smtpd counts; what can not be tried is told', () => {
  const [screen] = services('smtp/inet/command = postscreen\nsmtpd/pass/command = smtpd', 'smtpd/pass/smtpd_tls_security_level = none\nsmtp/inet/postscreen_upstream_proxy_protocol = haproxy')
  assert.ok(screen)
  assert.deepEqual([tlsOf(screen), unprovable(screen)], [undefined, 'it expects the PROXY protocol'])
  const [silent] = services('smtp/inet/command = smtpd', '', 'smtpd_discard_ehlo_keywords = dsn, STARTTLS')
  assert.match((silent && unprovable(silent)) ?? '', /does not offer STARTTLS/)
  const [fine] = services('smtp/inet/command = smtpd', '', 'smtpd_discard_ehlo_keywords = silent-discard, dsn')
  assert.equal(fine && unprovable(fine), undefined)
})

test('sockets: names of ports, addresses, interfaces and families', () => {
  const sockets = (name: string, more = '') => socketsOf({ name }, main(more), 'mail-alt 2525/tcp other-alt # remark\nmail-alt 2526/udp\n').sockets.map(({ address, port }) => `${address} ${port}`)
  assert.deepEqual(sockets('smtp'), ['0.0.0.0 25', ':: 25'])
  assert.deepEqual(sockets('submissions', 'inet_protocols = ipv4'), ['0.0.0.0 465'])
  assert.deepEqual(sockets('other-alt', 'inet_interfaces = loopback-only'), ['127.0.0.1 2525', '::1 2525'])
  assert.deepEqual(sockets('192.0.2.1:2000', 'inet_interfaces = loopback-only'), ['192.0.2.1 2000'])
  assert.deepEqual(sockets('[2001:db8::1]:smtp'), ['2001:db8::1 25'])
  assert.deepEqual(sockets('2000', 'inet_interfaces = 192.0.2.1, mail.test'), ['192.0.2.1 2000'])
  assert.deepEqual(sockets('no-such-port'), [])
  assert.match(socketsOf({ name: 'mail.test:25' }, main(''), '').left.join(), /listens on the name mail\.test/)
})
