import { sign, generateKeyPairSync } from 'node:crypto'

const tlv = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xffff ? 6 : body.length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}
const sequence = (...parts: Uint8Array[]) => tlv(0x30, ...parts)
const ed25519 = sequence(tlv(0x06, Buffer.from([0x2b, 0x65, 0x70])))
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
let serial = 1

/** A well-signed certificate whose common name no authority would write (X.509, as in RFC 5280 4.1). */
export function certificateFor(commonName: string): string {
  const name = sequence(tlv(0x31, sequence(tlv(0x06, Buffer.from([0x55, 0x04, 0x03])), tlv(0x0c, Buffer.from(commonName, 'utf8')))))
  const time = (text: string) => tlv(0x17, Buffer.from(text))
  const tbs = sequence(tlv(0xa0, tlv(0x02, Buffer.from([2]))), tlv(0x02, Buffer.from([serial++])), ed25519, name, sequence(time('250101000000Z'), time('350101000000Z')), name, publicKey.export({ type: 'spki', format: 'der' }))
  const der = sequence(tbs, ed25519, tlv(0x03, Buffer.from([0]), sign(null, tbs, privateKey)))
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`
}
