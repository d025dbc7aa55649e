/** A master key as text: 32 bytes in base64 as openssl prints it, or in base64url without padding. @returns undefined for anything else */
export function readMasterKey(text: string): Buffer | undefined {
  const trimmed = text.trim()
  const key = Buffer.from(trimmed, 'base64') // takes both alphabets
  const isKey = key.length === 32 && [key.toString('base64'), key.toString('base64url')].includes(trimmed)
  return isKey ? key : undefined
}
