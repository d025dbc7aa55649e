/** Gives the reader a file. */
export function saveFile(name: string, content: string | Uint8Array<ArrayBuffer>, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has taken its own copy of the content by the next task.
  setTimeout(() => URL.revokeObjectURL(url), 0)
}

/** The bytes of the first block of a PEM text. */
export function derOf(pem: string): Uint8Array<ArrayBuffer> {
  const base64 = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(pem)?.[1] ?? ''
  return Uint8Array.from(atob(base64.replaceAll(/\s/g, '')), (character) => character.charCodeAt(0))
}

/** "Certloop Issuing CA 1f2e" as "certloop-issuing-ca-1f2e"; a wildcard as "star". */
export const fileName = (text: string): string => text.toLowerCase().replaceAll('*', 'star').replaceAll(/[^a-z0-9.]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '').slice(0, 80) || 'certificate'

/** Base64 in steps that a call's arguments can hold. */
export function base64Of(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary)
}

/** What a chosen or dropped file holds as PEM text: PEM as it is, DER in a block with this label. */
export function pemOf(bytes: Uint8Array, label: string): string {
  const isDer = bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80
  if (!isDer) return new TextDecoder().decode(bytes)
  const lines = base64Of(bytes).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
