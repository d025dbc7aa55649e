/** "a@example.com, b@example.com" as ACME wants it. */
export function contactsOf(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,;]+/).filter(Boolean).map((address) => (address.startsWith('mailto:') ? address : `mailto:${address}`))
}
