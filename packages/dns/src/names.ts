import { CertloopError } from '@certloop/contract'

const label = /^[!-,/-~-]{1,63}$/ // visible ASCII without the dot

/** Lower case, without a dot at the end; "" is the root. */
export function plainName(name: string): string {
  return name.replace(/\.$/, '').toLowerCase()
}

/** @throws CertloopError INPUT_INVALID for what can't be asked for: no A-labels, or too long */
export function checkName(name: string): string {
  const plain = plainName(name)
  if (plain === '') return plain
  if (plain.length > 253 || !plain.split('.').every((each) => label.test(each))) throw new CertloopError('INPUT_INVALID', `"${name}" is not a name that DNS can hold.`, { name })
  return plain
}

/** The name itself, then each name above it, without the root. */
export function upwards(name: string): string[] {
  const labels = plainName(name).split('.').filter(Boolean)
  return labels.map((_, index) => labels.slice(index).join('.'))
}

/** Whether the name is this one or lies below it. */
export const isWithin = (name: string, zone: string): boolean => zone === '' || name === zone || name.endsWith(`.${zone}`)
