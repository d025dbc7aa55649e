import type { Endpoint, StartTls } from '@certloop/contract'
import { eventually, selfSignedPair, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { createSecureContext, TLSSocket } from 'node:tls'
import { createProber } from '../probe.ts'

const now = () => new Date('2026-01-01T00:00:00Z')
const probe = createProber({ now })
const hasty = createProber({ now, startTlsLimitMs: 200 })

/** A turn of a scripted peer: waits for words of the client, then answers; 'tls' begins TLS, 'end' hangs up. */
type Turn = { hears?: RegExp; says?: string | Uint8Array; next?: 'tls' | 'end' }

interface Peer { port: number; heard: () => string; withinTls: () => string }

/** A server that follows a script. With a pair it can begin TLS. */
async function peer(t: TestContext, script: readonly Turn[], pair?: TestPair): Promise<Peer> {
  let heard = ''
  let withinTls = ''
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    const turns = [...script]
    let mark = 0
    const play = () => {
      for (let [turn] = turns; turn !== undefined; [turn] = turns) {
        const match = (turn.hears ?? /^/).exec(heard.slice(mark))
        if (match === null) return
        turns.shift()
        const rest = Buffer.from(heard.slice(mark + match.index + match[0].length), 'latin1')
        mark = heard.length
        if (turn.says !== undefined) socket.write(turn.says)
        if (turn.next === 'end') socket.end()
        if (turn.next === 'tls' && pair) begin(rest)
      }
    }
    // MySQL's client begins TLS without waiting: the first of it may have come along.
    const begin = (rest: Buffer) => {
      socket.removeAllListeners('data').pause()
      if (rest.length > 0) socket.unshift(rest)
      const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ cert: pair?.certPem ?? '', key: pair?.keyPem ?? '' }) })
      secure.on('error', () => undefined).on('data', (chunk) => { withinTls += String(chunk) })
    }
    socket.on('error', () => undefined).on('data', (chunk) => { heard += chunk.toString('latin1'); play() })
    play()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); for (const socket of open) socket.destroy() })
  return { port: (server.address() as AddressInfo).port, heard: () => heard, withinTls: () => withinTls }
}

const at = (port: number, startTls: StartTls): Endpoint => ({ address: '127.0.0.1', port, serverName: 'mail.test', keyType: null, startTls })

const mySqlGreeting = (capabilities: number) => {
  const payload = Buffer.concat([Buffer.from([10]), Buffer.from('8.0.36\0'), Buffer.alloc(12, 7), Buffer.from([0, capabilities & 255, capabilities >> 8, 45, 2, 0, 255, 255, 21]), Buffer.alloc(10), Buffer.from('twelve bytes\0')])
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload])
}

const tls = { next: 'tls' } as const
const good: Record<StartTls, { script: Turn[]; goodbye: string | RegExp }> = {
  smtp: { goodbye: 'QUIT\r\n', script: [{ says: '220-mail.test\r\n220 ESMTP\r\n' }, { hears: /^EHLO \[127\.0\.0\.1\]\r\n$/, says: '250-mail.test\r\n250-SIZE 1\r\n250-STARTTLS\r\n250 HELP\r\n' }, { hears: /^STARTTLS\r\n$/, says: '220 2.0.0 go\r\n', ...tls }] },
  lmtp: { goodbye: 'QUIT\r\n', script: [{ says: '220 mail.test\r\n' }, { hears: /^LHLO \[127\.0\.0\.1\]\r\n$/, says: '250-mail.test\r\n250 STARTTLS\r\n' }, { hears: /^STARTTLS\r\n$/, says: '220 go\r\n', ...tls }] },
  imap: { goodbye: 'c LOGOUT\r\n', script: [{ says: '* OK [CAPABILITY IMAP4rev1] hello\r\n' }, { hears: /^a CAPABILITY\r\n$/, says: '* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na OK done\r\n' }, { hears: /^b STARTTLS\r\n$/, says: 'b OK begin\r\n', ...tls }] },
  pop3: { goodbye: 'QUIT\r\n', script: [{ says: '+OK hello\r\n' }, { hears: /^CAPA\r\n$/, says: '+OK\r\nUIDL\r\nSTLS\r\n.\r\n' }, { hears: /^STLS\r\n$/, says: '+OK begin\r\n', ...tls }] },
  sieve: { goodbye: 'LOGOUT\r\n', script: [{ says: '"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK "hello"\r\n' }, { hears: /^STARTTLS\r\n$/, says: 'OK "begin"\r\n', ...tls }] },
  ftp: { goodbye: 'QUIT\r\n', script: [{ says: '220-hello\r\n 230 not the end\r\n220 now\r\n' }, { hears: /^AUTH TLS\r\n$/, says: '234 go\r\n', ...tls }] },
  postgres: { goodbye: '', script: [{ hears: /^[^]{8}$/, says: 'S', ...tls }] },
  mysql: { goodbye: /certloop-proof[^]{2}mysql_native_password[^]{6}$/, script: [{ says: mySqlGreeting(0xffff) }, { hears: /^ [^]{35}/, ...tls }] },
}
const protocols = Object.keys(good) as StartTls[]

for (const protocol of protocols) {
  const { script, goodbye } = good[protocol]
  test(`${protocol}: the leaf is seen, and leave is taken`, async (t) => {
    const pair = await selfSignedPair(['mail.test'])
    const server = await peer(t, script, pair)
    assert.deepEqual(await probe(at(server.port, protocol)), { endpoint: at(server.port, protocol), fingerprint: pair.fingerprint, error: null, at: '2026-01-01T00:00:00.000Z' })
    if (protocol === 'postgres') assert.equal(server.heard(), '\0\0\0\u{8}\u{4}\u{d2}\u{16}\u{2f}')
    await eventually(() => (typeof goodbye === 'string' ? server.withinTls() === goodbye : goodbye.test(server.withinTls())), { what: 'the goodbye within TLS' })
  })

  test(`${protocol}: words in the clear behind the answer are refused`, async (t) => {
    const pair = await selfSignedPair(['mail.test'])
    const last = script.at(-1)
    // MySQL gives no answer: there the words come behind the greeting.
    const injected = protocol === 'mysql'
      ? [{ says: Buffer.concat([mySqlGreeting(0xffff), Buffer.from('x')]) }, ...script.slice(1)]
      : [...script.slice(0, -1), { ...last, says: `${String(last?.says ?? '')}220 injected\r\n` }]
    const seen = await probe(at((await peer(t, injected, pair)).port, protocol))
    assert.equal(seen.fingerprint, null)
    assert.match(seen.error ?? '', /said more in the clear after it had agreed to begin TLS/)
  })

  test(`${protocol}: silence, a flood, slow drops, nonsense, hanging up at each turn: an error in time`, async (t) => {
    const expect = async (turns: Turn[], reason: RegExp, prober = probe) => {
      const seen = await prober(at((await peer(t, turns)).port, protocol))
      assert.equal(seen.fingerprint, null)
      assert.match(seen.error ?? '', reason)
    }
    await expect([], /^No TLS handshake within 200 ms\.$/, hasty)
    for (let turn = 0; turn < script.length; turn++) {
      const before = script.slice(0, turn)
      const { hears } = script[turn] ?? {}
      const answering = (answer: Turn): Turn[] => [...before, hears === undefined ? answer : { ...answer, hears }]
      await expect(answering({ next: 'end' }), /hung up before TLS began|(closed|reset) during the handshake/)
      if (protocol === 'mysql' && turn === 1) continue // TLS has begun for the client
      await expect(answering({ says: '\u{1}\u{1}nonsense \u{1b}[31m\r\n' }), /^(What listens there does not speak|The server (did not|refused|does not))[ -~]*$/)
      if (protocol !== 'postgres') await expect(answering({ says: 'x'.repeat(1 << 20) }), /more than 16384 bytes|does not speak/)
    }
  })
}

describe('what servers say instead', () => {
  const cases: [string, StartTls, Turn[], RegExp][] = [
    ['SMTP without STARTTLS', 'smtp', [{ says: '220 x\r\n' }, { hears: /EHLO/, says: '250-x STARTTLS\r\n250 SIZE\r\n' }], /^The server does not offer STARTTLS\.$/],
    ['SMTP whose name is STARTTLS', 'smtp', [{ says: '220 x\r\n' }, { hears: /EHLO/, says: '250 STARTTLS\r\n' }], /^The server does not offer STARTTLS\.$/],
    ['SMTP without a certificate', 'smtp', [...good.smtp.script.slice(0, 2), { hears: /STARTTLS/, says: '454 4.7.0 TLS not available due to local problem\r\n' }], /^The server refused to begin TLS: "454 4\.7\.0 TLS not available due to local problem"\.$/],
    ['SMTP that does not want us', 'smtp', [{ says: '554 no\r\n' }], /^The server did not go on with SMTP with STARTTLS: "554 no"\.$/],
    ['IMAP without STARTTLS', 'imap', [{ says: '* OK x\r\n' }, { hears: /CAPABILITY/, says: '* CAPABILITY IMAP4rev1 XSTARTTLS\r\na OK\r\n' }], /^The server does not offer STARTTLS\.$/],
    ['IMAP that says NO', 'imap', [...good.imap.script.slice(0, 2), { hears: /STARTTLS/, says: 'b NO not now\r\n' }], /^The server refused to begin TLS: "b NO not now"\.$/],
    ['IMAP that is authenticated already', 'imap', [{ says: '* PREAUTH x\r\n' }], /^The server refused to begin TLS: "\* PREAUTH x"\.$/],
    ['POP3 without STLS', 'pop3', [{ says: '+OK\r\n' }, { hears: /CAPA/, says: '+OK\r\nUIDL\r\n.\r\n' }], /^The server does not offer STLS\.$/],
    ['ManageSieve without STARTTLS', 'sieve', [{ says: '"SIEVE" "STARTTLS"\r\nOK\r\n' }], /^The server does not offer STARTTLS\.$/],
    ['FTP without TLS', 'ftp', [{ says: '220 x\r\n' }, { hears: /AUTH/, says: '530 Please login with USER and PASS.\r\n' }], /^The server does not offer AUTH TLS: "530 Please login with USER and PASS\."\.$/],
    ['PostgreSQL without TLS', 'postgres', [{ hears: /[^]{8}/, says: 'N' }], /^The server does not offer TLS\.$/],
    ['MySQL without TLS', 'mysql', [{ says: mySqlGreeting(0xf7ff) }], /^The server does not offer TLS\.$/],
    ['MySQL that blocked the host', 'mysql', [{ says: Buffer.concat([Buffer.from([15, 0, 0, 0, 0xff, 0x69, 0x04]), Buffer.from('Host blocked')]) }], /^The server does not take the connection: "Host blocked"\.$/],
    ['a web server', 'imap', [{ says: 'HTTP/1.1 400 Bad Request\r\n\r\n' }], /^What listens there does not speak IMAP; it said "HTTP\/1\.1 400 Bad Request"\.$/],
    ['plain words instead of TLS', 'smtp', [...good.smtp.script.slice(0, 2), { hears: /STARTTLS/, says: '220 go\r\n' }, { hears: /./, says: '220 still in the clear\r\n' }], /^What listens there does not speak TLS\.$/],
  ]
  for (const [title, protocol, script, reason] of cases) {
    test(title, async (t) => {
      const seen = await probe(at((await peer(t, script)).port, protocol))
      assert.equal(seen.fingerprint, null)
      assert.match(seen.error ?? '', reason)
    })
  }
})

test('a greeting that comes in single bytes, and an answer cut anywhere', async (t) => {
  const pair = await selfSignedPair(['mail.test'])
  const [first, ...others] = good.smtp.script
  const drops = [...String(first?.says)].map((says) => ({ says }))
  assert.equal((await probe(at((await peer(t, [...drops, ...others], pair)).port, 'smtp'))).fingerprint, pair.fingerprint)
})

test('nothing listens; an address that is none', async (t) => {
  const { port } = await peer(t, [])
  assert.match((await hasty(at(port, 'smtp'))).error ?? '', /^No TLS handshake within 200 ms\.$/)
  assert.match((await probe({ ...at(1, 'smtp') })).error ?? '', /^Nothing listens there\.$/)
  assert.ok((await probe({ ...at(99_999_999, 'smtp') })).error)
})
