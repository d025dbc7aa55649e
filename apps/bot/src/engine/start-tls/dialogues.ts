import { type StartTls, startTlsNames } from '@certloop/contract'
import { isIPv6 } from 'node:net'
import type { Conversation } from './conversation.ts'
import { askMySql, askPostgres, myNoLogin } from './databases.ts'
import { notOffered, quoted, strange } from './words.ts'

/** Speaks until the next byte may be the first of TLS. Rejects with words for people when it does not come to that. */
export type Dialogue = (talk: Conversation) => Promise<void>

/** What is said first, and last within TLS: a server's log then shows a client that took its leave. */
export interface Protocol { ask: Dialogue; goodbye: string | Uint8Array }

export const protocols: Readonly<Record<StartTls, Protocol>> = {
  smtp: { ask: (talk) => askMail(talk, 'EHLO'), goodbye: 'QUIT\r\n' },
  lmtp: { ask: (talk) => askMail(talk, 'LHLO'), goodbye: 'QUIT\r\n' },
  imap: { ask: askImap, goodbye: 'c LOGOUT\r\n' },
  pop3: { ask: askPop3, goodbye: 'QUIT\r\n' },
  sieve: { ask: askSieve, goodbye: 'LOGOUT\r\n' },
  ftp: { ask: askFtp, goodbye: 'QUIT\r\n' },
  postgres: { ask: askPostgres, goodbye: '' },
  mysql: { ask: askMySql, goodbye: myNoLogin },
}

const refused = (answer: string) => new Error(`The server refused to begin TLS: ${quoted(answer)}.`)

/** All lines of one reply: "250-first", "250 last" (RFC 5321, 4.2.1; RFC 959, 4.2 lets lines between begin with anything). */
async function reply(talk: Conversation, kind: StartTls): Promise<{ code: string; lines: string[] }> {
  const lines = [await talk.line()]
  const [, code, more] = /^(\d{3})([ -]|$)/.exec(lines[0] ?? '') ?? []
  if (code === undefined) throw strange(kind, lines[0] ?? '')
  if (more === '-') while (!new RegExp(`^${code}( |$)`).test(lines.at(-1) ?? '')) lines.push(await talk.line())
  return { code, lines }
}

async function expectCode(talk: Conversation, kind: StartTls, code: string): Promise<string[]> {
  const answer = await reply(talk, kind)
  if (answer.code !== code) throw new Error(`The server did not go on with ${startTlsNames[kind]}: ${quoted(answer.lines[0] ?? '')}.`)
  return answer.lines
}

/** RFC 3207; LMTP: RFC 2033. A client without a name of its own says its address (RFC 5321, 4.1.3). */
async function askMail(talk: Conversation, hello: 'EHLO' | 'LHLO'): Promise<void> {
  const kind = hello === 'EHLO' ? 'smtp' : 'lmtp'
  await expectCode(talk, kind, '220')
  talk.send(`${hello} [${isIPv6(talk.ownAddress) ? 'IPv6:' : ''}${talk.ownAddress}]\r\n`)
  const offers = await expectCode(talk, kind, '250')
  if (!offers.slice(1).some((line) => /^250[ -]STARTTLS\s*$/i.test(line))) throw notOffered()
  talk.send('STARTTLS\r\n')
  const { code, lines } = await reply(talk, kind)
  if (code !== '220') throw refused(lines[0] ?? '')
}

/** RFC 9051, 6.2.1. After PREAUTH there is no way to TLS any more. */
async function askImap(talk: Conversation): Promise<void> {
  const greeting = await talk.line()
  if (!/^\* (OK|PREAUTH|BYE)\b/i.test(greeting)) throw strange('imap', greeting)
  if (!/^\* OK\b/i.test(greeting)) throw refused(greeting)
  talk.send('a CAPABILITY\r\n')
  const offers = await untilTagged(talk, 'a')
  if (!offers.some((line) => /^\* CAPABILITY\b.* STARTTLS( |$)/i.test(line))) throw notOffered()
  talk.send('b STARTTLS\r\n')
  await untilTagged(talk, 'b')
}

async function untilTagged(talk: Conversation, tag: string): Promise<string[]> {
  for (const lines: string[] = []; ;) {
    const line = await talk.line()
    lines.push(line)
    if (line.startsWith('* ')) continue
    if (new RegExp(`^${tag} OK\\b`, 'i').test(line)) return lines
    if (line.startsWith(`${tag} `)) throw refused(line)
    throw strange('imap', line)
  }
}

/** RFC 2595, 4. A server without CAPA is simply asked. */
async function askPop3(talk: Conversation): Promise<void> {
  const greeting = await talk.line()
  if (/^-ERR\b/.test(greeting)) throw refused(greeting)
  if (!/^\+OK\b/.test(greeting)) throw strange('pop3', greeting)
  talk.send('CAPA\r\n')
  const capabilities = await talk.line()
  if (!/^(\+OK|-ERR)\b/.test(capabilities)) throw strange('pop3', capabilities)
  if (capabilities.startsWith('+OK')) {
    const offers: string[] = []
    for (let line = await talk.line(); line !== '.'; line = await talk.line()) offers.push(line.toUpperCase())
    if (!offers.includes('STLS')) throw notOffered('STLS')
  }
  talk.send('STLS\r\n')
  const answer = await talk.line()
  if (!/^\+OK\b/.test(answer)) throw refused(answer)
}

/** RFC 5804, 2.2: the server lists what it can by itself; OK ends the list. */
async function askSieve(talk: Conversation): Promise<void> {
  const offers = await untilOk(talk)
  if (!offers.some((line) => /^"STARTTLS"/i.test(line))) throw notOffered()
  talk.send('STARTTLS\r\n')
  await untilOk(talk)
}

async function untilOk(talk: Conversation): Promise<string[]> {
  for (const lines: string[] = []; ;) {
    const line = await talk.line()
    if (/^OK\b/i.test(line)) return lines
    if (/^(NO|BYE)\b/i.test(line)) throw refused(line)
    if (!line.startsWith('"')) throw strange('sieve', line)
    lines.push(line)
  }
}

/** RFC 4217, 4. */
async function askFtp(talk: Conversation): Promise<void> {
  await expectCode(talk, 'ftp', '220')
  talk.send('AUTH TLS\r\n')
  const { code, lines } = await reply(talk, 'ftp')
  if (code.startsWith('5')) throw new Error(`The server does not offer AUTH TLS: ${quoted(lines[0] ?? '')}.`)
  if (code !== '234') throw refused(lines[0] ?? '')
}
