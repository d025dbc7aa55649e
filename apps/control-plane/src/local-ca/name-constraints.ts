import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import type { GeneralName } from '@certloop/pki'
import type { Issuer } from './issuer.ts'
import { isInNetwork } from './network.ts'

/** RFC 5280, 4.2.1.10: a DNS constraint covers the name and everything below it. */
function covers(constraint: { type: string; value: string }, name: { type: string; value: string }): boolean {
  const { value } = constraint
  switch (name.type) {
    case 'ip': return isInNetwork(name.value, value)
    case 'dns': return value === '' || name.value.replace(/^\*\./, '') === value || name.value.endsWith(`.${value.replace(/^\./, '')}`)
    case 'email': {
      const host = name.value.slice(name.value.lastIndexOf('@') + 1).toLowerCase()
      if (value.includes('@')) return name.value === value
      return value.startsWith('.') ? host.endsWith(value.toLowerCase()) : host === value.toLowerCase()
    }
    case 'uri': {
      const host = URL.canParse(name.value) ? new URL(name.value).hostname : ''
      return value.startsWith('.') ? host.endsWith(value) : host === value
    }
  }
  return false
}

/** The constraints in the issuer's own certificate hold for what it signs: clients would refuse it. @throws CertloopError NAME_INVALID */
export function checkNameConstraints({ name: issuer, settings: { nameConstraints } }: Issuer, { names, otherNames }: { names: readonly string[]; otherNames: readonly GeneralName[] }): void {
  if (!nameConstraints) return
  const all: { type: string; value: string }[] = [...names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })), ...otherNames]
  const fields = all.flatMap((name, i) => {
    if (nameConstraints.excluded.some((one) => one.type === name.type && covers(one, name))) return [`names[${i}]: the issuer "${issuer}" may not certify ${JSON.stringify(name.value)}`]
    const permitted = nameConstraints.permitted.filter(({ type }) => type === name.type)
    return permitted.length > 0 && !permitted.some((one) => covers(one, name)) ? [`names[${i}]: the issuer "${issuer}" may only certify ${permitted.map(({ value }) => value).join(', ')}`] : []
  })
  if (fields.length > 0) throw new CertloopError('NAME_INVALID', `The names are not within the constraints of the issuer "${issuer}".`, { fields, issuer })
}
