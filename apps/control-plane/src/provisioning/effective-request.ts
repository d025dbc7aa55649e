import { CertloopError, keyAlgorithms, subjectPartNames, subjectTypes, type AuthorityId, type CertificateId, type CsrRequest, type CsrSettings, type CsrTemplateId, type KeyAlgorithm, type SubjectAttributes } from '@certloop/contract'
import { checkNames, purposes, readCertificate, type CertificateFacts } from '@certloop/pki'
import { authorityLimits, type AuthorityLimits } from '../authority/authority-limits.ts'
import { ownNames } from '../certificate/certificate-store.ts'
import { findTemplateVersion, type TemplateVersion } from '../csr-template/csr-template-store.ts'
import { subjectValueProblems, subjectWith, templateProblems, type FieldProblem } from '../csr-template/template-rules.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { NewOrder, OrderedRequest } from '../order/order-store.ts'
import { csrOf, type ConfigurationRow } from './configuration-store.ts'

/** What an order asks for. */
export interface EffectiveRequest {
  names: string[]
  commonName: string | null
  keyAlgorithm: KeyAlgorithm
  keyReuse: boolean
  validityDays: number | null
  request: CsrRequest
  certificateType: CsrSettings['certificateType']
  /** Of the authority; null: the one it issues by otherwise. */
  profile: string | null
  templateId: CsrTemplateId | null
  /** The one whose rules it follows. */
  templateVersion: number | null
}

/** missing: something is not said yet, which a draft may leave for later. ofTemplate: it breaks the rules of the template. */
export interface RequestProblem extends FieldProblem { missing?: true; ofTemplate?: true }
interface WorkedOut { effective: EffectiveRequest; problems: RequestProblem[]; warnings: FieldProblem[] }

/** What is now in care says: the newest version that was ordered, else the newest that was found. */
interface Present { facts: CertificateFacts; commonName: string | null; subject: SubjectAttributes; left: string[] }

async function presentOf(tx: Db | Tx, id: CertificateId): Promise<Present | undefined> {
  const newest = tx.selectFrom('certificateVersion').select('chainPem').where('certificateId', '=', id).orderBy('ordinal', 'desc').limit(1)
  const row = await newest.where('source', '=', 'order').executeTakeFirst() ?? await newest.executeTakeFirst()
  const [leaf] = row ? fromJson<string[]>(row.chainPem) : []
  if (leaf === undefined) return undefined
  const facts = readCertificate(leaf)
  const { subject, left } = subjectOf(facts)
  return { facts, commonName: facts.commonName?.toLowerCase() ?? null, subject, left }
}

const partOfType = new Map<string, keyof SubjectAttributes>(subjectPartNames.map((name) => [subjectTypes[name], name]))

/** The parts that a request of ours can have, and the words of those that are left. */
function subjectOf({ subjectFields }: CertificateFacts): { subject: SubjectAttributes; left: string[] } {
  const subject: SubjectAttributes = {}
  const left: string[] = []
  for (const { type, value } of subjectFields) {
    const part = partOfType.get(type)
    if (type === 'CN') continue
    const fits = part !== undefined && subject[part] === undefined && subjectValueProblems({ [part]: value }, '').length === 0
    if (fits) subject[part] = value
    else left.push(`${type}=${value}`)
  }
  return { subject, left }
}

interface Given { csr: CsrSettings; names: string[]; present: Present | undefined; limits: AuthorityLimits | undefined; problems: RequestProblem[]; warnings: FieldProblem[] }

/** Without one among the names, a certificate has no common name: clients look at the names alone. */
function keptCommonName({ names, present, warnings }: Given): string | null {
  const name = present?.commonName ?? null
  if (name === null || (names.includes(name) && name.length <= 64)) return name
  warnings.push({ field: 'csr/commonName', problem: `the present one, ${JSON.stringify(name)}, is not among the names and is left out` })
  return null
}

/** As far as the authority takes one: one for domains alone would refuse the request. */
function keptSubject({ present, limits, warnings }: Given): SubjectAttributes {
  if (!present) return {}
  const taken = subjectPartNames.filter((name) => present.subject[name] !== undefined && (limits === undefined || limits.subjectParts.includes(name)))
  const left = [...present.left, ...subjectPartNames.filter((name) => present.subject[name] !== undefined && !taken.includes(name)).map((name) => `${subjectTypes[name]}=${present.subject[name]}`)]
  if (left.length > 0) warnings.push({ field: 'csr/subject', problem: `of the present subject, ${left.join(', ')} can not be asked for and is left out` })
  return Object.fromEntries(taken.map((name) => [name, present.subject[name]]))
}

type Identity = Pick<EffectiveRequest, 'commonName' | 'keyAlgorithm'> & { subject: SubjectAttributes; signatureAlgorithm: CsrSettings['signatureAlgorithm'] }

function asExisting(given: Given): Identity {
  const { csr, present, problems, warnings } = given
  const found = present?.facts.keyAlgorithm
  const keyAlgorithm = keyAlgorithms.find((each) => each === found)
  if (!present) problems.push({ field: 'csr/mode', problem: 'there is no certificate yet whose request could be made again; choose "partial" or "full"', missing: true })
  else if (!keyAlgorithm) problems.push({ field: 'csr/mode', problem: `the present certificate has a key of the kind ${found}, which is no longer made; choose "partial" and a key algorithm` })
  const unused = [['commonName', csr.commonName !== null && csr.commonName !== present?.commonName], ['subject', Object.keys(csr.subject).length > 0], ['signatureAlgorithm', csr.signatureAlgorithm !== null]] as const
  warnings.push(...unused.flatMap(([name, isGiven]) => (isGiven ? [{ field: `csr/${name}`, problem: 'is not used: the request is as for the present certificate; choose "partial" to change it' }] : [])))
  return { commonName: keptCommonName(given), keyAlgorithm: keyAlgorithm ?? csr.keyAlgorithm, subject: keptSubject(given), signatureAlgorithm: null }
}

function asPartial(given: Given): Identity {
  const { csr } = given
  const { commonName, keyAlgorithm, signatureAlgorithm } = csr
  return { commonName: commonName ?? keptCommonName(given), keyAlgorithm, subject: { ...keptSubject(given), ...csr.subject }, signatureAlgorithm }
}

const asFull = ({ csr: { commonName, keyAlgorithm, subject, signatureAlgorithm } }: Given, template: TemplateVersion | undefined): Identity =>
  ({ commonName, keyAlgorithm, subject: template ? subjectWith(template.rules, subject) : subject, signatureAlgorithm })

/** Readers of certificates give the word where there is one. */
export const wordOf = (usage: string): string => Object.entries(purposes).find(([, id]) => id === usage)?.[0] ?? usage

const canEncrypt = (usage: string) => usage === 'keyEncipherment' || usage === 'dataEncipherment'
const hasOwnDigest = (keyAlgorithm: KeyAlgorithm) => keyAlgorithm === 'ed25519' || keyAlgorithm.startsWith('ml-dsa')

/** Only what is asked for is in it: a request without wishes is one as it always was, also for older bots. */
export function requestOf({ subject, signatureAlgorithm, keyAlgorithm }: Identity, template: TemplateVersion | undefined): CsrRequest {
  const { keyUsages = [], extendedKeyUsages = [], mustStaple = false } = template?.rules ?? {}
  // RFC 5480, 3; RFC 8410, 5: only RSA keys encrypt.
  const usages = keyUsages.filter((usage) => keyAlgorithm.startsWith('rsa-') || !canEncrypt(usage))
  return {
    ...(Object.keys(subject).length > 0 ? { subject } : {}), ...(signatureAlgorithm === null ? {} : { signatureAlgorithm }),
    ...(usages.length > 0 ? { keyUsages: usages } : {}), ...(extendedKeyUsages.length > 0 ? { extendedKeyUsages: [...new Set(extendedKeyUsages.map(wordOf))] } : {}), ...(mustStaple ? { mustStaple } : {}),
  }
}

/** Nobody said how long: no longer than the template allows, whatever the authority gives otherwise. */
export function validityOf({ validityDays }: CsrSettings, template: TemplateVersion | undefined, limits: AuthorityLimits | undefined): number | null {
  const longest = template?.rules.longestValidityDays ?? null
  if (validityDays !== null || longest === null) return validityDays
  return limits && limits.defaultValidityDays <= longest ? null : longest
}

export async function templateOf(tx: Db | Tx, { mode, templateId, templateVersion }: CsrSettings, problems: RequestProblem[]): Promise<TemplateVersion | undefined> {
  if (mode !== 'full' || templateId === null) return undefined
  const template = await findTemplateVersion(tx, templateId, templateVersion)
  if (!template) problems.push(templateVersion === null ? { field: 'csr/templateId', problem: 'there is no such template' } : { field: 'csr/templateVersion', problem: `there is no version ${templateVersion} of this template` })
  return template
}

function identityProblems({ commonName, subject, signatureAlgorithm, keyAlgorithm }: Identity, names: readonly string[]): RequestProblem[] {
  const problems: RequestProblem[] = names.length === 0 ? [{ field: 'csr/names', problem: 'at least one name is needed', missing: true }] : []
  if (commonName !== null && !names.includes(commonName)) problems.push({ field: 'csr/commonName', problem: 'must be one of the names' })
  else if (commonName !== null && commonName.length > 64) problems.push({ field: 'csr/commonName', problem: 'has more than the 64 characters a common name can have; leave it empty' })
  if (signatureAlgorithm !== null && hasOwnDigest(keyAlgorithm)) problems.push({ field: 'csr/signatureAlgorithm', problem: `keys of the kind ${keyAlgorithm} have a digest of their own; leave it empty` })
  return [...problems, ...subjectValueProblems(subject, 'csr/subject')]
}

/** @param configuration names in their normal form */
export async function workOutRequest(tx: Db | Tx, id: CertificateId, { csr, authorityId }: { csr: CsrSettings; authorityId: AuthorityId | null }): Promise<WorkedOut> {
  const problems: RequestProblem[] = []
  const warnings: FieldProblem[] = []
  const names = csr.names.length > 0 ? [...csr.names] : await ownNames(tx, id)
  const [template, limits] = [await templateOf(tx, csr, problems), await authorityLimits(tx, authorityId, csr.profile)]
  const given: Given = { csr, names, present: csr.mode === 'full' ? undefined : await presentOf(tx, id), limits, problems, warnings }
  const identity = csr.mode === 'existing' ? asExisting(given) : csr.mode === 'partial' ? asPartial(given) : asFull(given, template)
  problems.push(...identityProblems(identity, names))
  const { commonName, keyAlgorithm } = identity
  const { keyReuse, certificateType, profile } = csr
  const validityDays = validityOf(csr, template, limits)
  if (template) problems.push(...templateProblems(template.rules, { names, commonName, keyAlgorithm, keyReuse, validityDays, subject: csr.subject }).map((each) => ({ ...each, ofTemplate: true as const })))
  return {
    effective: { names, commonName, keyAlgorithm, keyReuse, validityDays, request: requestOf(identity, template), certificateType, profile, templateId: template ? csr.templateId : null, templateVersion: template?.version ?? null },
    problems, warnings,
  }
}

/**
 * What an order by this configuration asks for now: from the version in care, the template, and what is given, as the
 * mode says. With a template and no version named, by its newest version.
 * @throws CertloopError TEMPLATE_VIOLATED naming each field that breaks a rule; CONFIGURATION_INCOMPLETE for all else that
 *   does not fit; NAME_INVALID, TOO_MANY_NAMES
 */
export async function effectiveRequest(tx: Db | Tx, certificate: { id: CertificateId }, configuration: Pick<ConfigurationRow, 'csr' | 'authorityId'>): Promise<EffectiveRequest> {
  const { effective, problems } = await workOutRequest(tx, certificate.id, { csr: csrOf(configuration), authorityId: configuration.authorityId })
  if (problems.length > 0) throw asError(problems, effective)
  return { ...effective, names: checkNames(effective.names) }
}

/** The rules of a template count most: who made them wants to know that they hold. */
export function asError(problems: readonly RequestProblem[], { templateId, templateVersion }: Pick<EffectiveRequest, 'templateId' | 'templateVersion'>): CertloopError {
  const broken = problems.filter(({ ofTemplate }) => ofTemplate)
  const lines = (of: readonly RequestProblem[]) => of.map(({ field, problem }) => `${field}: ${problem}`)
  if (broken.length === 0) return new CertloopError('CONFIGURATION_INCOMPLETE', `No request can be made as configured: ${lines(problems).slice(0, 5).join('; ')}.`, { fields: lines(problems) })
  return new CertloopError('TEMPLATE_VIOLATED', `The request breaks the rules of its CSR template (version ${templateVersion}): ${lines(broken).slice(0, 5).join('; ')}.`, { templateId: templateId ?? '', version: templateVersion ?? 0, fields: lines(broken) })
}

/** As an order keeps it. */
export function orderPartsOf({ names, commonName, keyAlgorithm, validityDays, request, certificateType, profile, templateId, templateVersion }: EffectiveRequest): Pick<NewOrder, 'names' | 'commonName' | 'keyAlgorithm' | 'validityDays' | 'request'> {
  const template = templateId !== null && templateVersion !== null ? { id: templateId, version: templateVersion } : null
  return { names, commonName, keyAlgorithm, validityDays, request: toJson({ ...request, certificateType, profile, template } satisfies OrderedRequest) }
}
