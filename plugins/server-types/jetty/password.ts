import { CertloopError } from '@certloop/contract'

/**
 * A password as Jetty writes it into its configuration: plain, or obfuscated with "OBF:" (org.eclipse.jetty.util
 * .security.Password), which hides it from a glance and nothing more.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE for MD5: and CRYPT:, which can't be turned back, and damaged OBF:
 */
export function plainPassword(configured: string): string {
  if (/^(MD5|CRYPT):/.test(configured)) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The password of the keystore is written as ${configured.split(':')[0]}:, a digest that opens nothing. Write it plainly or with OBF:, or give it in the target.`)
  return configured.startsWith('OBF:') ? deobfuscate(configured.slice(4)) : configured
}

/**
 * Groups of four digits to base 36, each for a byte b at position i and its mirror image m at the other end:
 * (127 + b + m) * 256 + (127 + b - m). A byte beyond ASCII has "U" and four digits for b * 256 + m (Jetty from 9.2 on).
 */
function deobfuscate(text: string): string {
  const groups = /^(?:U?[0-9a-z]{4})*$/.test(text) ? text.match(/U?[0-9a-z]{4}/g) ?? [] : undefined
  if (groups === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', 'The password of the keystore begins with OBF: and is damaged.')
  const bytes = groups.map((group) => {
    const value = Number.parseInt(group.replace('U', ''), 36)
    return group.startsWith('U') ? value >> 8 : (Math.trunc(value / 256) + (value % 256) - 254) / 2
  })
  return Buffer.from(bytes).toString('utf8')
}
