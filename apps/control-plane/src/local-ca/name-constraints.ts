import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { readCertificate, type CertificateFacts, type GeneralName, type NameConstraints, type SubjectAttribute } from '@certloop/pki'
import type { Issuer } from './issuer.ts'
import { isInNetwork } from './network.ts'

/** RFC 5280, 4.2.1.10: a DNS constraint covers the name and everything below it. */
function covers(constraint: { type: string; value: string }, name: { type: string; value: string }): boolean {
  const { value } = constraint
  switch (name.type) {
    case 'ip': return isInNetwork(name.value, value)
    case 'dns': {
      const base = value.toLowerCase()
      return base === '' || name.value.replace(/^\*\./, '') === base || name.value.endsWith(`.${base.replace(/^\./, '')}`)
    }
    case 'email': {
      const host = name.value.slice(name.value.lastIndexOf('@') + 1).toLowerCase()
      if (value.includes('@')) return withLowerHost(name.value) === withLowerHost(value)
      return value.startsWith('.') ? host.endsWith(value.toLowerCase()) : host === value.toLowerCase()
    }
    case 'uri': {
      const host = URL.canParse(name.value) ? new URL(name.value).hostname : ''
      return value.startsWith('.') ? host.endsWith(value.toLowerCase()) : host === value.toLowerCase()
    }
  }
  return false
}

const withLowerHost = (address: string): string => address.replace(/[^@]*$/, (host) => host.toLowerCase())

/** A wildcard stands for each name one label longer, those in an excluded range among them. */
const reachesInto = ({ value }: { value: string }, name: { type: string; value: string }): boolean => name.type === 'dns' && name.value.startsWith('*.') && value.includes('.') && value.slice(value.indexOf('.')).toLowerCase() === name.value.slice(1)

const known = new Map<string, NameConstraints | null>()
const mostKnown = 1000

/** Read once per certificate: those of CAs are few. */
function constraintsIn(certificatePem: string): NameConstraints | null {
  const found = known.get(certificatePem)
  if (found !== undefined) return found
  if (known.size >= mostKnown) known.clear()
  const { nameConstraints } = readCertificate(certificatePem)
  const read = nameConstraints && { permitted: constrained(nameConstraints.permitted), excluded: constrained(nameConstraints.excluded) }
  known.set(certificatePem, read)
  return read
}

/** Those of the kinds that we certify; the others bind nothing here. */
export const constrained = (names: NonNullable<CertificateFacts['nameConstraints']>['permitted']): NameConstraints['permitted'] =>
  names.flatMap((name) => (name.type === 'dns' || name.type === 'ip' || name.type === 'email' || name.type === 'uri' ? [{ type: name.type, value: name.value }] : []))

/**
 * The constraints in the certificates of the issuer and of all above it hold for what it signs: clients would refuse it.
 * @param chainPem the issuer's certificate and those above it
 * @throws CertloopError NAME_INVALID
 */
export function checkNameConstraints({ name: issuer }: Pick<Issuer, 'name'>, chainPem: readonly string[], { names, otherNames, subject }: { names: readonly string[]; otherNames: readonly GeneralName[]; subject: readonly SubjectAttribute[] }): void {
  const inSubject = subject.flatMap(({ type, value }) => (type === 'emailAddress' ? [{ type: 'email', value }] : []))
  const all: { type: string; value: string }[] = [...names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })), ...otherNames, ...inSubject]
  const fields = chainPem.flatMap((certificatePem) => violations(all, constraintsIn(certificatePem), issuer))
  if (fields.length > 0) throw new CertloopError('NAME_INVALID', `The names are not within the constraints of the issuer "${issuer}".`, { fields: fields.slice(0, 100), issuer })
}

function violations(all: readonly { type: string; value: string }[], nameConstraints: NameConstraints | null, issuer: string): string[] {
  if (!nameConstraints) return []
  return all.flatMap((name, i) => {
    if (nameConstraints.excluded.some((one) => one.type === name.type && (covers(one, name) || reachesInto(one, name)))) return [`names[${i}]: the issuer "${issuer}" may not certify ${JSON.stringify(name.value)}`]
    const permitted = nameConstraints.permitted.filter(({ type }) => type === name.type)
    return permitted.length > 0 && !permitted.some((one) => covers(one, name)) ? [`names[${i}]: the issuer "${issuer}" may only certify ${permitted.map(({ value }) => value).join(', ')}`] : []
  })
}
