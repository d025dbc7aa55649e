import { CertloopError, type AuthorityId } from '@certloop/contract'
import type { Authority, AuthorityOf } from '../authority/authority.ts'
import { findAuthority } from '../authority/authority-store.ts'
import type { Tx } from '../database/database.ts'
import type { Filled, Found } from './configuration-check.ts'
import type { EffectiveRequest } from './effective-request.ts'

/** It issues without seeing that the names are ours, whatever method is configured. */
const asksForNoProof = ({ validationMethods }: Authority): boolean => validationMethods.every((method) => method === 'none')

/** Each authority that is asked when those before it can not issue: it has to be able to do what they would. @returns those that there are */
export async function checkFallbacks(tx: Tx, authorityOf: AuthorityOf, configuration: Filled, effective: EffectiveRequest, found: Found): Promise<Authority[]> {
  const { fallbackAuthorityIds: ids, authorityId } = configuration
  const usable: Authority[] = []
  for (const [i, id] of ids.entries()) {
    const field = `fallbackAuthorityIds/${i}`
    const why = id === authorityId ? 'is the one that is asked first' : ids.indexOf(id) < i ? 'is named twice' : undefined
    const authority = why === undefined ? await connectorOf(tx, authorityOf, id) : why
    if (typeof authority === 'string') found.problems.push({ field, problem: authority })
    else {
      usable.push(authority)
      await checkOne(authority, configuration, effective, { field, found })
    }
  }
  if (effective.profile !== null && ids.length > 0) found.warnings.push({ field: 'fallbackAuthorityIds', problem: `the profile "${effective.profile}" is asked of the first authority alone; the others issue by their own` })
  return usable
}

/** Or why there is none. */
async function connectorOf(tx: Tx, authorityOf: AuthorityOf, id: AuthorityId): Promise<Authority | string> {
  if (!await findAuthority(tx, id)) return 'there is no such authority'
  try {
    return await authorityOf(tx, id)
  } catch (error) {
    if (error instanceof CertloopError && error.code !== 'INTERNAL') return `can not be used: ${error.message}`
    throw error
  }
}

async function checkOne({ keyAlgorithms, certificateTypes, validationMethods, review, ...rest }: Authority, { complete, validation: { method } }: Filled, effective: EffectiveRequest, { field, found }: { field: string; found: Found }): Promise<void> {
  const say = (problem: string) => { found.problems.push({ field, problem }) }
  const { keyAlgorithm, certificateType, names } = effective
  if (!keyAlgorithms.includes(keyAlgorithm)) say(`does not issue for ${keyAlgorithm}; it takes ${keyAlgorithms.join(', ')}`)
  if (certificateType !== 'existing' && !certificateTypes.includes(certificateType)) say(`does not issue ${certificateType}; it issues ${certificateTypes.join(', ')}`)
  if (!validationMethods.includes(method) && !asksForNoProof({ validationMethods, ...rest } as Authority)) say(`does not take the validation "${method}"; it takes ${validationMethods.join(', ')}`)
  // An unfinished draft is refused for want of names alone.
  if (!complete && names.length === 0) return
  const { refused, otherwise } = await review?.({ ...effective, profile: null }) ?? { refused: [], otherwise: [] }
  for (const { field: of, problem } of refused.filter((each) => each.field !== 'csr/keyAlgorithm')) say(`refuses the request: ${of}: ${problem}`)
  found.warnings.push(...otherwise.map(({ field: of, problem }) => ({ field, problem: `issues otherwise: ${of}: ${problem}` })))
}

/** The first authority has to take the method, unless it asks for no proof and one after it does. */
export function checkMethod({ validation: { method } }: Filled, authority: Authority | undefined, fallbacks: readonly Authority[], { problems }: Found): void {
  if (!authority || authority.validationMethods.includes(method)) return
  if (asksForNoProof(authority) && fallbacks.some(({ validationMethods }) => validationMethods.includes(method))) return
  problems.push({ field: 'validation/method', problem: `the authority takes ${authority.validationMethods.join(', ')}` })
}
