import { createHmac, timingSafeEqual } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { checkName } from './names.ts'
import { classNumbers, malformed, nameToWire, readLayout, readName, recordToWire, typeNumbers } from './wire.ts'

/** RFC 8945, 6. hmac-md5 is left out: nothing needs it any more. */
export const tsigAlgorithms = ['hmac-sha256', 'hmac-sha512', 'hmac-sha384', 'hmac-sha224', 'hmac-sha1'] as const
export type TsigAlgorithm = (typeof tsigAlgorithms)[number]
export interface TsigKey { name: string; algorithm: TsigAlgorithm; secret: Uint8Array }

const tsigErrors: Readonly<Record<number, string>> = { 0: 'NOERROR', 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' }
const fudgeSeconds = 300

interface Variables { time: number; fudge: number; error: number; other: Buffer }
interface Tsig extends Variables { offset: number; keyName: string; algorithm: string; mac: Buffer; originalId: number }

const sixBytes = (value: number): Buffer => { const bytes = Buffer.alloc(6); bytes.writeUIntBE(value, 0, 6); return bytes }
const twoBytes = (value: number): Buffer => { const bytes = Buffer.alloc(2); bytes.writeUInt16BE(value); return bytes }

/** RFC 8945, 4.3. `message` has the original id and no TSIG. */
function digest(key: TsigKey, message: Buffer, { time, fudge, error, other }: Variables, requestMac: Buffer | undefined): Buffer {
  const hmac = createHmac(key.algorithm.slice('hmac-'.length), key.secret)
  if (requestMac) hmac.update(twoBytes(requestMac.length)).update(requestMac)
  hmac.update(message).update(nameToWire(key.name)).update(twoBytes(classNumbers.ANY)).update(Buffer.alloc(4))
  hmac.update(nameToWire(key.algorithm)).update(sixBytes(time)).update(twoBytes(fudge)).update(twoBytes(error)).update(twoBytes(other.length)).update(other)
  return hmac.digest()
}

/**
 * Adds a TSIG record to a message.
 * @param options requestMac: of the request, when this is the answer to one; error: of the answer
 */
export function signMessage(message: Buffer, key: TsigKey, { now, requestMac, fudge = fudgeSeconds, error = 0, other = Buffer.alloc(0) }: { now: Date; requestMac?: Buffer; fudge?: number; error?: number; other?: Buffer }): { message: Buffer; mac: Buffer } {
  const variables = { time: Math.floor(now.getTime() / 1000), fudge, error, other }
  const mac = digest(key, message, variables, requestMac)
  const data = Buffer.concat([nameToWire(key.algorithm), sixBytes(variables.time), twoBytes(fudge), twoBytes(mac.length), mac, message.subarray(0, 2), twoBytes(error), twoBytes(other.length), other])
  const signed = Buffer.concat([message, recordToWire({ name: key.name, type: typeNumbers.TSIG, class: classNumbers.ANY, ttl: 0, data })])
  signed.writeUInt16BE(signed.readUInt16BE(10) + 1, 10)
  return { message: signed, mac }
}

/** The TSIG record of a message, which has to be its last. undefined: it has none. */
function readTsig(message: Buffer): Tsig | undefined {
  const { records } = readLayout(message)
  const found = records.find(({ type }) => type === typeNumbers.TSIG)
  if (!found) return undefined
  if (found !== records.at(-1) || found.section !== 3 || found.class !== classNumbers.ANY || found.ttl !== 0) throw malformed('its signature is not its last record, or of another class')
  const { name: algorithm, end } = readName(message, found.dataStart)
  const left = message.subarray(end, found.dataEnd)
  if (left.length < 16) throw malformed('its signature is cut off')
  const macEnd = 10 + left.readUInt16BE(8)
  if (left.length < macEnd + 6 || left.length !== macEnd + 6 + left.readUInt16BE(macEnd + 4)) throw malformed('its signature has a wrong length')
  return {
    offset: found.offset, keyName: found.name, algorithm, time: left.readUIntBE(0, 6), fudge: left.readUInt16BE(6), mac: left.subarray(10, macEnd),
    originalId: left.readUInt16BE(macEnd), error: left.readUInt16BE(macEnd + 2), other: left.subarray(macEnd + 6),
  }
}

function withoutTsig(message: Buffer, { offset, originalId }: Tsig): Buffer {
  const plain = Buffer.from(message.subarray(0, offset))
  plain.writeUInt16BE(originalId, 0)
  plain.writeUInt16BE(plain.readUInt16BE(10) - 1, 10)
  return plain
}

export interface TsigResult {
  /** The signature is there, is right and was made at a time that fits. */
  verified: boolean
  /** What the other side said of our signature: NOERROR, BADSIG, BADKEY, BADTIME, BADTRUNC. null: it did not sign. */
  error: string | null
  /** What is wrong with its own signature: in words. */
  problem: string | null
  /** With BADTIME: the clock there. */
  serverTime: Date | null
  mac: Buffer | null
}

const failed = (tsig: Tsig | undefined, problem: string): TsigResult => ({
  verified: false, error: tsig ? tsigErrors[tsig.error] ?? String(tsig.error) : null, problem, mac: tsig?.mac ?? null,
  serverTime: tsig?.error === 18 && tsig.other.length === 6 ? new Date(tsig.other.readUIntBE(0, 6) * 1000) : null,
})

/**
 * Checks the signature of a message: key, algorithm, MAC (whole, never shortened) and time, in this order (RFC 8945, 5.2).
 * @param options requestMac: of the request, when this is its answer
 * @throws CertloopError DNS_LOOKUP_FAILED for what is no DNS message
 */
export function verifyMessage(message: Buffer, key: TsigKey, { now, requestMac }: { now: Date; requestMac?: Buffer }): TsigResult {
  const tsig = readTsig(message)
  if (!tsig) return failed(tsig, 'it is not signed')
  if (tsig.keyName !== checkName(key.name) || tsig.algorithm !== key.algorithm) return failed(tsig, `it is signed with another key (${tsig.keyName}, ${tsig.algorithm})`)
  const mac = digest(key, withoutTsig(message, tsig), tsig, requestMac)
  if (tsig.mac.length !== mac.length || !timingSafeEqual(tsig.mac, mac)) return failed(tsig, tsig.mac.length === 0 ? 'its signature is empty' : 'its signature is wrong')
  const skew = Math.abs(now.getTime() / 1000 - tsig.time)
  if (skew > tsig.fudge + 1) return failed(tsig, `it was signed ${Math.round(skew)} s before or after the time here`)
  return { ...failed(tsig, ''), verified: true, problem: null }
}

/** @throws CertloopError INPUT_INVALID unless the secret is base64 of at least one byte */
export function tsigKey(name: string, algorithm: string, secret: string): TsigKey {
  const known = tsigAlgorithms.find((each) => each === algorithm.toLowerCase().replace(/\.$/, ''))
  if (!known) throw new CertloopError('INPUT_INVALID', `"${algorithm}" is not an algorithm for TSIG keys; there are ${tsigAlgorithms.join(', ')}.`)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret.trim())) throw new CertloopError('INPUT_INVALID', 'The secret of the TSIG key is not base64, as tsig-keygen prints it.')
  return { name: checkName(name), algorithm: known, secret: Buffer.from(secret.trim(), 'base64') }
}
