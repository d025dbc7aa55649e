import type { Conversation } from './conversation.ts'
import { notOffered, quoted, strange } from './words.ts'

/** SSLRequest: length 8 and the number that no protocol version has (PostgreSQL, "Message Formats"). One byte answers. */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f)

export async function askPostgres(talk: Conversation): Promise<void> {
  talk.send(sslRequest)
  const answer = (await talk.bytes(1)).toString('latin1')
  if (answer === 'N') throw notOffered('TLS')
  if (answer !== 'S') throw strange('postgres', answer)
}

const clientSsl = 0x0800
/** Protocol 4.1, SSL, authentication of 4.1, a plug-in of the client's choice. */
const ownCapabilities = 0x0200 | clientSsl | 0x8000 | 0x80000
const utf8 = 45
const greatestPacket = 8192
const greetingVersion = 10

/**
 * The server greets; a short answer with the SSL flag set announces TLS, and nothing answers that
 * (MySQL, "Connection Phase", Protocol::SSLRequest). A greeting of 0xff is an error, such as a host that is blocked.
 */
export async function askMySql(talk: Conversation): Promise<void> {
  const head = await talk.bytes(4)
  const length = head.readUIntLE(0, 3)
  if (length < 4 || length > greatestPacket || head[3] !== 0) throw strange('mysql', head.toString('latin1'))
  const greeting = await talk.bytes(length)
  if (greeting[0] === 0xff) throw new Error(`The server does not take the connection: ${quoted(greeting.subarray(3).toString('latin1'))}.`)
  if (greeting[0] !== greetingVersion) throw strange('mysql', greeting.toString('latin1'))
  // Version text and its end, 4 bytes connection number, 8 bytes scramble, 1 filler: then the lower capabilities.
  const at = greeting.indexOf(0, 1) + 1 + 13
  if (at < 15 || at + 2 > greeting.length) throw strange('mysql', greeting.toString('latin1'))
  if ((greeting.readUInt16LE(at) & clientSsl) === 0) throw notOffered('TLS')
  talk.send(packet(1, beginning()))
}

const packet = (number: number, payload: Uint8Array) => Buffer.concat([Buffer.from([payload.length, 0, 0, number]), payload])

/** What SSLRequest is, and how a login begins. */
function beginning(): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32LE(ownCapabilities, 0)
  bytes.writeUInt32LE(greatestPacket, 4)
  bytes[8] = utf8
  return bytes
}

/**
 * Leave is taken by a login that is refused: an account that nobody has, no password. A client that goes without one is
 * an error of its host to the server, and after max_connect_errors of them (100) all of that host is locked out, the
 * applications on it too. The last packet is the answer for servers that ask for another plug-in first.
 */
export const myNoLogin: Uint8Array = Buffer.concat([
  packet(2, Buffer.concat([beginning(), Buffer.from('certloop-proof\0\0mysql_native_password\0')])), packet(4, Buffer.from([0])),
])
