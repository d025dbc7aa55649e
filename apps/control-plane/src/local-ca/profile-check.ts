import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import type { GeneralName, SubjectAttribute } from '@certloop/pki'
import { isInNetwork } from './network.ts'
import type { Profile } from './profile-store.ts'
import type { NameRules, ProfileRules } from './profiles.ts'
import { checkPublicRequest } from './public-style.ts'

export interface Asked { names: readonly string[]; otherNames: readonly GeneralName[]; commonName: string | null; subject: readonly SubjectAttribute[]; mustStaple: boolean; validityDays: number | null }

/** Each check gives lines "field: problem". */
const checks: readonly ((asked: Asked, rules: ProfileRules) => string[])[] = [validity, commonName, numberOfNames, kindsOfNames, rangesOfNames, publicStyle, subjectAttributes, mustStaple]

/** @throws CertloopError PROFILE_VIOLATION with a line "field: problem" for each thing that the profile does not allow; INPUT_INVALID for a lifetime out of all bounds */
export function checkAgainstProfile(asked: Asked, { name, rules }: Profile): void {
  const days = asked.validityDays
  if (days !== null && !(Number.isInteger(days) && days >= 1 && days <= 36_500)) {
    throw new CertloopError('INPUT_INVALID', `A lifetime of ${days} days is not possible; give whole days, at least 1.`, { fields: ['validityDays: has to be whole days, at least 1'] })
  }
  const fields = checks.flatMap((check) => check(asked, rules))
  if (fields.length > 0) throw new CertloopError('PROFILE_VIOLATION', `The profile "${name}" does not allow this: ${fields.slice(0, 5).join('; ')}.`, { profile: name, fields })
}

function validity({ validityDays }: Asked, { maximumValidityDays }: ProfileRules): string[] {
  return validityDays !== null && validityDays > maximumValidityDays ? [`validityDays: at most ${maximumValidityDays}`] : []
}

function commonName({ commonName: asked }: Asked, { commonName: rule }: ProfileRules): string[] {
  if (rule === 'none' && asked !== null) return ['commonName: this profile has none']
  return rule === 'required' && asked === null ? ['commonName: is needed'] : []
}

function numberOfNames({ names, otherNames }: Asked, { names: rule }: ProfileRules): string[] {
  const count = names.length + otherNames.length
  if (rule.required && count === 0) return ['names: at least one is needed']
  return count > rule.maximum ? [rule.maximum === 0 ? 'names: this profile has none' : `names: at most ${rule.maximum}`] : []
}

function kindsOfNames({ names, otherNames }: Asked, { names: rule }: ProfileRules): string[] {
  const types: readonly string[] = rule.types
  const hosts = names.flatMap((name, i) => {
    const type = isIP(name) === 0 ? 'dns' : 'ip'
    if (!types.includes(type)) return [`names[${i}]: ${type === 'ip' ? 'IP addresses are' : 'DNS names are'} not allowed`]
    return name.startsWith('*.') && !rule.wildcards ? [`names[${i}]: wildcards are not allowed`] : []
  })
  return [...hosts, ...otherNames.flatMap((name, i) => (types.includes(name.type) ? [] : [`otherNames[${i}]: names of the kind ${name.type} are not allowed`]))]
}

/** "example.com" covers it and everything below; "10.0.0.0/8" the addresses in it. */
function covers(range: string, name: string): boolean {
  if (isIP(name) !== 0) return range.includes('/') ? isInNetwork(name, range) : range === name
  const host = name.replace(/^\*\./, '')
  return host === range || host.endsWith(`.${range}`)
}

/** A wildcard stands for each name one label longer, so it touches ranges that it does not lie in. */
const touches = (range: string, name: string): boolean => covers(range, name) || (name.startsWith('*.') && range.slice(range.indexOf('.')) === name.slice(1))

/** The host that a name of another kind belongs to; '' for none. */
function hostOf({ type, value }: GeneralName): string {
  if (type === 'email' || type === 'upn') return value.slice(value.lastIndexOf('@') + 1).toLowerCase()
  return type === 'uri' && URL.canParse(value) ? new URL(value).hostname.replace(/^\[|\]$/g, '') : ''
}

function rangesOfNames({ names, otherNames }: Asked, { names: { permitted, excluded } }: { names: NameRules }): string[] {
  const all = [...names.map((name, i) => ({ field: `names[${i}]`, name, host: name })), ...otherNames.map((name, i) => ({ field: `otherNames[${i}]`, name: name.value, host: hostOf(name) }))]
  return all.flatMap(({ field, name, host }) => {
    if (excluded.some((range) => touches(range, host))) return [`${field}: ${JSON.stringify(name)} is in a range that the profile excludes`]
    return permitted.length > 0 && !permitted.some((range) => covers(range, host)) ? [`${field}: ${JSON.stringify(name)} is in no range that the profile permits`] : []
  })
}

function publicStyle(asked: Asked, rules: ProfileRules): string[] {
  return rules.style === 'public' ? checkPublicRequest(asked, rules) : []
}

function subjectAttributes({ subject }: Asked, { subjectAttributes: allowed, requiredAttributes: required }: ProfileRules): string[] {
  const missing = required.filter((type) => !subject.some((one) => one.type === type)).map((type) => `subject: ${type} is needed`)
  return [...missing, ...subject.flatMap(({ type }, i) => (allowed.includes(type) ? [] : [`subject[${i}]: ${type} is not allowed`]))]
}

function mustStaple({ mustStaple: asked }: Asked, { mustStaple: rule }: ProfileRules): string[] {
  return asked && rule === 'never' ? ['mustStaple: is not allowed'] : []
}
