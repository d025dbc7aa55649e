import { keyAlgorithms } from '@certloop/contract'
import { normalGeneralName } from '../name/check-general-names.ts'
import { shown } from '../name/problems.ts'
import { subjectProblems } from '../name/subject.ts'
import { brokenDigest, readUnjudged, unsupported, wrongSignature, type CsrFacts, type CsrReading } from './csr.ts'
import type { WishProblem } from './csr-wishes.ts'

export type CsrFindingCode = WishProblem['code'] | 'signature-wrong' | 'signature-unsupported' | 'signature-weak' | 'key-weak' | 'key-unsupported'
  | 'name-invalid' | 'names-missing' | 'common-name-not-among-names' | 'subject-invalid' | 'ca-requested' | 'challenge-password' | 'private-key-included'

/** Something a person should know of an uploaded request. */
export interface CsrFinding {
  code: CsrFindingCode
  /** error: no certificate can be issued for it; warning: it can, but look; notice: good to know. */
  severity: 'error' | 'warning' | 'notice'
  /** One or two sentences. */
  message: string
}

/** Most findings of one kind that are listed one by one. */
const maxOfOneKind = 20

/**
 * Reads a request for showing it: what `readCsr` refuses becomes a finding where the request is readable at all, and
 * more is looked at (key and digest strength, validity of names and subject).
 * @throws CertloopError CSR_INVALID when it is no request, and nothing else, whatever the input
 */
export function inspectCsr(pemOrDer: string | Uint8Array): { facts: CsrFacts; findings: CsrFinding[] } {
  const reading = readUnjudged(pemOrDer)
  const { facts, problems, otherBlocks } = reading
  const findings: CsrFinding[] = [
    ...signatureFindings(reading),
    ...keyFindings(facts),
    ...atMost(problems.map(({ code, message }) => ({ code, severity: 'error' as const, message }))),
    ...nameFindings(facts),
    ...wishFindings(facts),
    ...(otherBlocks.some((label) => label.includes('PRIVATE KEY')) ? [{ code: 'private-key-included', severity: 'warning', message: 'The text has a private key beside the request. A private key never belongs into an upload: consider it as known to others.' } as const] : []),
  ]
  return { facts, findings }
}

function atMost(findings: CsrFinding[]): CsrFinding[] {
  const [first] = findings
  if (!first || findings.length <= maxOfOneKind) return findings
  return [...findings.slice(0, maxOfOneKind), { ...first, message: `There are ${findings.length - maxOfOneKind} more problems like these.` }]
}

function signatureFindings({ facts, signatureFits, hasBrokenDigest }: CsrReading): CsrFinding[] {
  if (signatureFits === undefined) return [{ code: 'signature-unsupported', severity: 'error', message: unsupported(facts) }]
  if (!signatureFits) return [{ code: 'signature-wrong', severity: 'error', message: `${wrongSignature} It was changed after it was made, or copied incompletely.` }]
  if (hasBrokenDigest) return [{ code: 'signature-weak', severity: 'error', message: brokenDigest(facts) }]
  if (!/sha1/i.test(facts.signatureAlgorithm)) return []
  return [{ code: 'signature-weak', severity: 'warning', message: `The request is signed with ${facts.signatureAlgorithm}, whose digest is no longer safe. Make it again with SHA-256.` }]
}

/** By its size alone; keys weak in other ways are judged where they are certified. */
function keyFindings({ keyAlgorithm }: CsrFacts): CsrFinding[] {
  const bits = Number(/^(?:rsa|rsa-pss)-(\d+)$/.exec(keyAlgorithm)?.[1] ?? Number.POSITIVE_INFINITY)
  if (bits < 2048) return [{ code: 'key-weak', severity: 'error', message: `The key has ${bits} bits only; RSA keys need 2048 at least.` }]
  if (['ec-192', 'ec-224', 'dsa'].includes(keyAlgorithm)) return [{ code: 'key-weak', severity: 'error', message: `The key is of the kind ${keyAlgorithm}, which is too weak. Take ec-256 or rsa-2048 at least.` }]
  if (keyAlgorithms.some((known) => known === keyAlgorithm)) return []
  return [{ code: 'key-unsupported', severity: 'warning', message: `The key is of the kind ${keyAlgorithm}, for which few authorities issue, and the built-in one does not.` }]
}

function nameFindings(facts: CsrFacts): CsrFinding[] {
  const { alternativeNames, names, commonName, subjectAttributes } = facts
  const findings = atMost(alternativeNames.flatMap((name): CsrFinding[] => {
    const outcome = normalGeneralName(name)
    return 'problem' in outcome ? [{ code: 'name-invalid', severity: 'error', message: `The name ${shown(name.value)} ${outcome.problem}.` }] : []
  }))
  if (alternativeNames.length === 0) findings.push({ code: 'names-missing', severity: 'warning', message: 'The request names no subject alternative names. Browsers look at nothing else.' })
  if (names.length > 0 && commonName !== null && !names.includes(commonName.toLowerCase())) {
    findings.push({ code: 'common-name-not-among-names', severity: 'warning', message: `The common name ${shown(commonName)} is not among the alternative names; public authorities refuse that.` })
  }
  const readable = subjectAttributes.map((set) => set.filter((attribute) => attribute.readable)).filter((set) => set.length > 0)
  const problems = subjectProblems(readable.map((set) => (set.length === 1 && set[0] ? set[0] : set)))
  return [...findings, ...atMost(problems.map((line) => ({ code: 'subject-invalid', severity: 'warning', message: `The subject is not valid: ${line}.` })))]
}

function wishFindings({ basicConstraints, challengePassword }: CsrFacts): CsrFinding[] {
  return [
    ...(basicConstraints?.isCa ? [{ code: 'ca-requested', severity: 'warning', message: 'The request asks for the certificate of a certificate authority, which could issue certificates itself.' } as const] : []),
    ...(challengePassword.present ? [{ code: 'challenge-password', severity: 'notice', message: 'The request carries a challenge password, which everybody who sees the request can read.' } as const] : []),
  ]
}
