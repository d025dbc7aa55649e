import { CertloopError, subjectPartNames, subjectPartsOf, subjectTypes, type CsrRequest } from '@certloop/contract'
import type { KeyUsage } from '@certloop/pki'
import type { ReviewedRequest } from '../authority/authority.ts'
import type { Db, Tx } from '../database/database.ts'
import { usageProblems, type IssueOptions } from './issue-request.ts'
import { listIssuers } from './issuer-store.ts'
import { checkAgainstProfile } from './profile-check.ts'
import { getProfile, type Profile } from './profile-store.ts'
import { internalProfiles } from './profiles.ts'

interface FieldProblem { field: string; problem: string }

/** Parts of a request in the words of the built-in CA. */
export function wishesOf({ subject = {}, mustStaple = false, keyUsages, extendedKeyUsages }: CsrRequest): Pick<IssueOptions, 'subject' | 'mustStaple' | 'keyUsage' | 'extendedKeyUsage'> {
  return { subject: subjectPartsOf(subject), mustStaple, keyUsage: keyUsages as KeyUsage[] | undefined, extendedKeyUsage: extendedKeyUsages }
}

/** Why orders can't go by this profile; undefined when they can. What is provisioned are servers. */
export function whyNotForOrders({ name, rules }: Profile): string | undefined {
  if (internalProfiles.includes(name)) return 'only the control plane itself issues by it'
  if (rules.kind !== 'end-entity' || !rules.extendedKeyUsage.includes('serverAuth')) return 'it is not for servers'
  return rules.style === 'public' ? 'it is for issuers of public style, and orders go to the issuer in use' : undefined
}

export const isForOrders = (profile: Profile): boolean => whyNotForOrders(profile) === undefined

/** @throws CertloopError AUTHORITY_REJECTED when there is none, or orders can't go by it */
export async function profileForOrders(db: Db | Tx, name: string): Promise<Profile> {
  const profile = await getProfile(db, name).catch((error: unknown) => {
    if (error instanceof CertloopError && error.code === 'NOT_FOUND') return undefined
    throw error
  })
  const why = profile ? whyNotForOrders(profile) : 'there is none of this name'
  if (!profile || why) throw new CertloopError('AUTHORITY_REJECTED', `The built-in CA does not issue by the profile "${name}": ${why}.`, { profile: name, fields: [`csr/profile: ${why}`] })
  return profile
}

const fieldNames: Record<string, string> = { extendedKeyUsage: 'csr/templateId', keyUsage: 'csr/templateId', mustStaple: 'csr/templateId' }

/** "subject[1]: O is not allowed" as it concerns a configuration. Usages and must-staple come from templates. */
function fromLine(line: string, request: CsrRequest): FieldProblem {
  const [where = '', ...rest] = line.split(': ')
  const problem = rest.join(': ')
  const name = where.replace(/\[\d+\]$/, '')
  const index = Number(/\[(\d+)\]$/.exec(where)?.[1] ?? -1)
  const given = subjectPartNames.filter((part) => request.subject?.[part] !== undefined)
  const part = name === 'subject' ? given[index] ?? subjectPartNames.find((each) => problem.startsWith(`${subjectTypes[each]} is needed`)) : undefined
  return { field: `${fieldNames[name] ?? `csr/${name}`}${part ? `/${part}` : ''}`, problem: fieldNames[name] ? `${name}: ${problem}` : problem }
}

function problemsOf({ names, commonName, keyAlgorithm, validityDays, request = {} }: ReviewedRequest, profile: Profile): FieldProblem[] {
  const wishes = wishesOf(request)
  const lines = usageProblems(profile.rules, wishes)
  if (!profile.rules.keyAlgorithms.includes(keyAlgorithm)) lines.push(`keyAlgorithm: possible are ${profile.rules.keyAlgorithms.join(', ')}`)
  try {
    checkAgainstProfile({ names, otherNames: [], commonName, subject: wishes.subject ?? [], mustStaple: wishes.mustStaple ?? false, validityDays }, profile)
  } catch (error) {
    if (!(error instanceof CertloopError) || error.code !== 'PROFILE_VIOLATION') throw error
    lines.push(...error.facts['fields'] as readonly string[])
  }
  return lines.map((line) => fromLine(line, request)).map(({ field, problem }) => ({ field, problem: `the profile "${profile.name}" of the built-in CA does not allow this: ${problem}` }))
}

/** What the built-in CA would refuse, and where it would give less than asked. Reads, and issues nothing. */
export async function reviewRequest(db: Db | Tx, profileName: string, asked: ReviewedRequest, now: Date): Promise<{ refused: FieldProblem[]; otherwise: FieldProblem[] }> {
  let profile: Profile
  try {
    profile = await profileForOrders(db, profileName)
  } catch (error) {
    if (!(error instanceof CertloopError) || error.code !== 'AUTHORITY_REJECTED') throw error
    return { refused: [{ field: 'csr/profile', problem: error.message }], otherwise: [] }
  }
  const issuer = (await listIssuers(db)).find(({ slot }) => slot === 'intermediate')
  const left = issuer?.certificate ? Math.floor((issuer.certificate.notAfter.getTime() - now.getTime()) / 86_400_000) : undefined
  const days = asked.validityDays ?? profile.rules.defaultValidityDays
  const otherwise = left !== undefined && days > left ? [{ field: 'csr/validityDays', problem: `the issuing certificate of the built-in CA ends in ${left} days, and nothing it issues lives longer` }] : []
  return { refused: problemsOf(asked, profile), otherwise }
}
