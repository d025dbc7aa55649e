import { CertloopError, subjectPartNames, subjectTypes, type CertificateId, type KeyAlgorithm, type SubjectAttributes } from '@certloop/contract'
import { checkNames, readCsr, type CsrFacts } from '@certloop/pki'
import { ownNames } from '../certificate/certificate-store.ts'
import { authorityLimits } from '../authority/authority-limits.ts'
import type { TemplateVersion } from '../csr-template/csr-template-store.ts'
import { templateProblems, type FieldProblem } from '../csr-template/template-rules.ts'
import type { Tx } from '../database/database.ts'
import { csrOf, type ConfigurationRow } from './configuration-store.ts'
import { asError, requestOf, templateOf, validityOf, wordOf, type EffectiveRequest, type RequestProblem } from './effective-request.ts'

/** A request that was made elsewhere. */
export interface Upload {
  csrPem: string
  /** Whether it may be for other names than the certificate: for whoever could write them into the configuration as well. */
  mayBringNames: boolean
}

/**
 * What is asked of the authority with an uploaded CSR. Names and key are those of the CSR; all else is as configured, and in
 * the mode "full" the rules of the template hold for what the CSR says.
 * @throws CertloopError PERMISSION_DENIED for names that are not this certificate's, TEMPLATE_VIOLATED, CONFIGURATION_INCOMPLETE,
 *   CSR_INVALID, NAME_INVALID, TOO_MANY_NAMES
 */
export async function uploadedRequest(tx: Tx, id: CertificateId, configuration: ConfigurationRow, { csrPem, mayBringNames }: Upload): Promise<EffectiveRequest> {
  const facts = readCsr(csrPem)
  const names = checkNames(facts.names)
  const csr = csrOf(configuration)
  if (!mayBringNames) refuseOthers([...names, ...facts.commonName === null ? [] : [facts.commonName.toLowerCase()]], csr.names.length > 0 ? csr.names : await ownNames(tx, id))
  const problems: RequestProblem[] = []
  const template = await templateOf(tx, csr, problems)
  const keyAlgorithm = facts.keyAlgorithm as KeyAlgorithm
  const keyReuse = await wasUsed(tx, id, facts)
  const validityDays = validityOf(csr, template, await authorityLimits(tx, configuration.authorityId, csr.profile))
  const subject = template ? subjectOf(facts) : {}
  if (template) problems.push(...problemsWith(template, facts, { names, keyAlgorithm, keyReuse, validityDays, subject }).map((each) => ({ ...each, ofTemplate: true as const })))
  const { commonName } = facts
  const request = requestOf({ commonName, keyAlgorithm, subject, signatureAlgorithm: null }, template)
  const effective = { names, commonName, keyAlgorithm, keyReuse, validityDays, request, certificateType: csr.certificateType, profile: csr.profile, templateId: template ? csr.templateId : null, templateVersion: template?.version ?? null }
  if (problems.length > 0) throw asError(problems, effective)
  return effective
}

function refuseOthers(asked: readonly string[], own: readonly string[]): void {
  const others = [...new Set(asked)].filter((name) => !own.includes(name))
  if (others.length === 0) return
  throw new CertloopError('PERMISSION_DENIED', `The CSR asks for ${others.join(', ')}; this certificate is for ${own.join(', ')}. Ask for no other names, or have somebody with the permission certificate:write add them to the configuration or order it.`, { permission: 'certificate:write', names: others })
}

/** Whether an earlier version has the same key. */
async function wasUsed(tx: Tx, id: CertificateId, { spkiDigest }: CsrFacts): Promise<boolean> {
  return await tx.selectFrom('certificateVersion').select('id').where('certificateId', '=', id).where('spkiDigest', '=', spkiDigest).limit(1).executeTakeFirst() !== undefined
}

/** What a template can have rules for. */
function subjectOf({ subjectAttributes }: CsrFacts): SubjectAttributes {
  const fields = subjectAttributes.flat()
  return Object.fromEntries(subjectPartNames.flatMap((name) => {
    const value = fields.find(({ type }) => type === subjectTypes[name])?.value
    return value === undefined ? [] : [[name, value]]
  }))
}

type Asked = Pick<EffectiveRequest, 'names' | 'keyAlgorithm' | 'keyReuse' | 'validityDays'> & { subject: SubjectAttributes }

/** The authority gets the CSR as it is, so what the template would add has to be in it; and it may ask for nothing that the template lacks. */
function problemsWith({ rules }: TemplateVersion, facts: CsrFacts, asked: Asked): FieldProblem[] {
  const lacking = subjectPartNames.filter((name) => rules.subject[name] !== undefined && asked.subject[name] === undefined)
  const usages = unlisted(facts.keyUsage?.usages, rules.keyUsages)
  const purposes = unlisted(facts.extendedKeyUsage?.usages.map(wordOf), rules.extendedKeyUsages.map(wordOf))
  return [
    ...templateProblems(rules, { ...asked, commonName: facts.commonName }),
    ...lacking.map((name) => ({ field: `csr/subject/${name}`, problem: `the template has it fixed as ${JSON.stringify(rules.subject[name])}, and the CSR lacks it` })),
    ...usages.map((usage) => ({ field: 'csr/keyUsages', problem: `the CSR asks for ${usage}, which the template does not have` })),
    ...purposes.map((usage) => ({ field: 'csr/extendedKeyUsages', problem: `the CSR asks for ${usage}, which the template does not have` })),
    ...(facts.mustStaple && !rules.mustStaple ? [{ field: 'csr/mustStaple', problem: 'the CSR asks for it, and the template does not have it' }] : []),
  ]
}

/** A template that names no usages leaves them to the authority. */
const unlisted = (asked: readonly string[] | undefined, listed: readonly string[]): string[] => (listed.length === 0 ? [] : (asked ?? []).filter((usage) => !listed.includes(usage)))
