import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const keyFile = (domain: string) => join(domain, 'security', 'SerializedSystemIni.dat')

/** A new key of a domain, which opens its encrypted values. */
export function makeDomainKey(domain: string): void {
  writeFileSync(keyFile(domain), randomBytes(32), { mode: 0o600 })
}

/** A passphrase as it stands in config.xml: {AES} and Base64. How the real server makes it is not published, so nobody but the simulator can open it. */
export function encryptPassphrase(domain: string, text: string): string {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', readFileSync(keyFile(domain)), iv)
  return `{AES}${Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')}`
}

export function decryptPassphrase(domain: string, value: string): string {
  const bytes = Buffer.from(value.replace(/^\{AES\}/, ''), 'base64')
  const opening = createDecipheriv('aes-256-gcm', readFileSync(keyFile(domain)), bytes.subarray(0, 12))
  opening.setAuthTag(bytes.subarray(-16))
  return Buffer.concat([opening.update(bytes.subarray(12, -16)), opening.final()]).toString('utf8')
}
