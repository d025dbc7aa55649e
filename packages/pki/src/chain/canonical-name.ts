import type { NameAttribute } from '../name/distinguished-name.ts'

/**
 * Text forms that compare as RFC 5280, 7.1 wants: case and runs of space don't count, nor does the string type. Letters
 * that only look alike (NFKC) stay different, as openssl has them.
 */
export function canonical(name: NameAttribute[][]): string[] {
  return name.map((set) => set.map(({ oid: id, value, readable }) => `${id}=${readable ? folded(value) : value}`).toSorted().join('+'))
}
const folded = (value: string): string => JSON.stringify(value.normalize('NFC').toLowerCase().trim().replace(/\s+/g, ' '))
