import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { readMasterKey } from './secret/master-key-text.ts'
import { readSettings, settingsHelp, settingsTable, wantsHelp } from './settings.ts'

const refusal = (argv: string[], env: Record<string, string> = {}) => {
  try {
    readSettings(argv, env)
  } catch (error) {
    assert.ok(error instanceof CertloopError)
    assert.equal(error.code, 'SETTINGS_INVALID')
    return error.message
  }
  return assert.fail('the settings were taken')
}

test('nothing given leaves the defaults', () => {
  assert.deepEqual(readSettings([], { CERTLOOP_PORT: '' }), {
    data: './data', port: 8420, host: '127.0.0.1', publicUrl: null, pkiUrl: null, issuanceLedger: null, keyBlocklist: null, pkcs11Module: null, pkcs11Token: null, pkcs11Pin: null, databaseUrl: null, masterKey: null, logLevel: 'info', bot: true, trustedProxy: [], smtpUrl: null, mailFrom: null, outboundAllow: ['private'], dnsServers: [],
  })
})

test('the mail server is taken from the environment alone, and its password is in no message', () => {
  const read = (url: string) => readSettings([], { CERTLOOP_SMTP_URL: url }).smtpUrl
  for (const url of ['smtp://mail.example.com', 'smtps://user:p%40ss@mail.example.com:465/', 'smtp://[::1]:2525']) assert.equal(read(url), url)
  for (const url of ['mail.example.com:25', 'https://user:top-secret@mail.example.com', 'smtp://user:top-secret@mail.example.com/path', 'smtps://user:top-secret@mail.example.com?tls=off']) {
    assert.throws(() => read(url), (error: unknown) => error instanceof CertloopError && /CERTLOOP_SMTP_URL can not be used/.test(error.message) && !error.message.includes('top-secret'))
  }
  assert.equal(readSettings(['--mail-from', 'certs@example.com'], {}).mailFrom, 'certs@example.com')
  assert.throws(() => readSettings(['--mail-from', 'Certs <certs@example.com>'], {}), /an address such as certloop@example\.com/)
})

test('flags win over the environment, in both spellings', () => {
  const settings = readSettings(['--port', '0', '--data=/srv/x', '--no-bot', '--public-url', 'https://Certloop.example.com:443/'], { CERTLOOP_PORT: '9', CERTLOOP_HOST: '::', CERTLOOP_BOT: 'on', DATABASE_URL: 'postgres://u:p@h/d' })
  assert.equal(settings.port, 0)
  assert.equal(settings.data, '/srv/x')
  assert.equal(settings.bot, false)
  assert.equal(settings.host, '::')
  assert.equal(settings.publicUrl, 'https://certloop.example.com')
  assert.equal(settings.databaseUrl, 'postgres://u:p@h/d')
})

test('an unknown flag is refused with the nearest known one', () => {
  assert.match(refusal(['--prot', '80']), /--prot\. Did you mean --port\?/)
  assert.match(refusal(['--no-bots']), /--no-bot\?/)
  assert.match(refusal(['--database-url', 'postgres://x']), /no setting --database-url/)
  assert.match(refusal(['8420']), /"8420" is not a setting/)
})

test('a value that can not be used is refused, naming its source and what would do', () => {
  for (const port of ['80a', '-1', '65536', '1e3']) assert.match(refusal([`--port=${port}`]), new RegExp(`--port is "${port}"; it takes a whole number from 0 to 65535`))
  assert.match(refusal([], { CERTLOOP_PORT: 'http' }), /^CERTLOOP_PORT is "http"/)
  assert.match(refusal(['--log-level', 'loud']), /one of silent, error/)
  assert.match(refusal([], { CERTLOOP_BOT: 'no' }), /"on" or "off"/)
  for (const url of ['certloop', 'ftp://x', 'https://x/path', 'https://u:p@x']) assert.match(refusal(['--public-url', url]), /--public-url/)
  assert.match(refusal(['--port']), /--port needs a value/)
  assert.match(refusal(['--data', '--no-bot']), /--data needs a value/)
  assert.match(refusal(['--port', '1', '--port', '2']), /given twice/)
  assert.match(refusal(['--no-bot=off']), /takes no value/)
})

test('trusted proxies are a list of addresses and networks', () => {
  const read = (text: string) => readSettings(['--trusted-proxy', text], {}).trustedProxy
  assert.deepEqual(read('10.0.0.1'), ['10.0.0.1'])
  assert.deepEqual(read('10.0.0.0/8, ::1,fd00::/8'), ['10.0.0.0/8', '::1', 'fd00::/8'])
  for (const text of ['proxy.example', '10.0.0.0/33', 'fd00::/129', '10.0.0.1,', '10.0.0.1/', '*', 'true', '0.0.0.0/0', '::/0']) assert.match(refusal(['--trusted-proxy', text]), /--trusted-proxy is/, text)
})

test('DNS servers are addresses with a port or without', () => {
  const read = (text: string) => readSettings(['--dns-servers', text], {}).dnsServers
  assert.deepEqual(read('192.0.2.1, 192.0.2.2:5353,2001:db8::1,[2001:db8::1]:5353'), [
    { address: '192.0.2.1', port: 53 }, { address: '192.0.2.2', port: 5353 }, { address: '2001:db8::1', port: 53 }, { address: '2001:db8::1', port: 5353 },
  ])
  for (const text of ['dns.example.com', '192.0.2.1,', '192.0.2.1:0', '192.0.2.1:70000', '[192.0.2.1]:53', '192.0.2.1:', '192.0.2.1/24']) assert.match(refusal(['--dns-servers', text]), /--dns-servers is .*addresses with commas/, text)
})

test('addresses that outgoing calls may reach are "private", addresses and networks, or none', () => {
  const read = (text: string) => readSettings(['--outbound-allow', text], {}).outboundAllow
  assert.deepEqual([read('private'), read('none'), read('private, 127.0.0.1,fd00::/8')], [['private'], [], ['private', '127.0.0.1', 'fd00::/8']])
  for (const text of ['public', 'none,private', '10.0.0.0/33', '0.0.0.0/0', 'private,', 'localhost', '127.0.0.1/']) assert.match(refusal(['--outbound-allow', text]), /--outbound-allow is .*"private", addresses and networks/, text)
})

test('secret values are not repeated', () => {
  assert.ok(!refusal([], { DATABASE_URL: 'mysql://me:hunter2@h/d' }).includes('hunter2'))
  assert.ok(!refusal([], { CERTLOOP_MASTER_KEY: 'hunter2' }).includes('hunter2'))
  assert.equal(readSettings([], { CERTLOOP_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') }).masterKey, Buffer.alloc(32, 7).toString('base64'))
})

test('a master key that settings take is one that can be used, and the reverse', () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - i))
  for (const text of [key.toString('base64'), key.toString('base64url'), ` ${key.toString('base64')}\n`]) {
    assert.deepEqual(readMasterKey(readSettings([], { CERTLOOP_MASTER_KEY: text }).masterKey ?? ''), key)
  }
  for (const text of [key.toString('hex'), `${'A'.repeat(42)}B`, `${'A'.repeat(42)}B=`, '+'.repeat(43), `${'_'.repeat(43)}=`]) {
    assert.equal(readMasterKey(text), undefined, text)
    assert.match(refusal([], { CERTLOOP_MASTER_KEY: text }), /CERTLOOP_MASTER_KEY/)
  }
})

test('the help names every setting with flag, variable and default', () => {
  assert.ok(wantsHelp(['--port', '1', '--help']) && !wantsHelp([]))
  const help = settingsHelp()
  for (const { flag, env, meaning } of Object.values(settingsTable)) {
    assert.ok(help.includes(env) && help.includes(meaning))
    if (flag !== null) assert.ok(help.includes(`--${flag}`))
  }
})
