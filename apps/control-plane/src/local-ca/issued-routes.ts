import { CertloopError, newId, type CsrReport, type IssueInput, type IssuedCertificate, type IssuedCertificateDetail, type IssuedCertificateId } from '@certloop/contract'
import { inspectCsr, readCsr } from '@certloop/pki'
import { fromJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { implement, requirePermission, type App } from '../http/index.ts'
import { issuersAbove } from './issue.ts'
import type { IssueOptions } from './issue-request.ts'
import { findIssued, getIssued, listIssued, type IssuedRow } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { getIssuer, listIssuers } from './issuer-store.ts'
import type { LocalCa } from './local-ca.ts'
import { getProfile } from './profile-store.ts'
import { internalProfiles } from './profiles.ts'

export interface IssuedRouteDeps { database: Database; localCa: LocalCa; now: () => Date }

function showIssued(row: IssuedRow, issuers: readonly Issuer[], now: Date): IssuedCertificate {
  const { id, reference, issuerId, serialNumber, status, profile, subject, names, notBefore, notAfter, fingerprint, revokedAt, revocationReason, invalidityDate, createdAt } = row
  return {
    id, reference, issuerId, issuerName: issuers.find((issuer) => issuer.id === issuerId)?.name ?? issuerId, serialNumber, status, isExpired: new Date(notAfter) < now, profile, subject, names: fromJson<string[]>(names),
    notBefore, notAfter, fingerprint, revokedAt, revocationReason, invalidityDate, createdAt,
  }
}

function showDetail(row: IssuedRow, issuers: readonly Issuer[], now: Date): IssuedCertificateDetail {
  const { intermediates, top, isRoot } = issuersAbove(row.issuerId, issuers)
  return {
    ...showIssued(row, issuers, now), certificatePem: row.certificatePem,
    chainPem: row.certificatePem === null ? [] : [row.certificatePem, ...intermediates], rootPem: isRoot ? top ?? null : null,
  }
}

/** What the form leaves out is what the CSR asks for. */
function optionsOf({ csrPem, profile, issuerId, names, otherNames, commonName, subject, validityDays, mustStaple }: IssueInput, reference: string): IssueOptions {
  const csr = readCsr(csrPem)
  const given = csr.subjectAttributes.flat().filter(({ type }) => type !== 'CN').map(({ type, value }) => ({ type, value }))
  return {
    reference, csrPem, profile, names: names ?? csr.names, otherNames: otherNames ?? csr.alternativeNames.filter(({ type }) => type !== 'dns' && type !== 'ip'), commonName: commonName === undefined ? csr.commonName : commonName,
    subject: subject ?? given, validityDays: validityDays ?? null, ...(issuerId === undefined ? {} : { issuerId }), ...(mustStaple === undefined ? {} : { mustStaple }),
  }
}

function report(csrPem: string): CsrReport {
  const { facts, findings } = inspectCsr(csrPem)
  return {
    commonName: facts.commonName, subject: facts.subject, subjectAttributes: facts.subjectAttributes.flat().map(({ type, value }) => ({ type, value })), names: facts.names,
    otherNames: facts.alternativeNames.filter(({ type }) => type !== 'dns' && type !== 'ip').map(({ type, value }) => ({ type, value })), keyAlgorithm: facts.keyAlgorithm, signatureAlgorithm: facts.signatureAlgorithm, spkiDigest: facts.spkiDigest,
    keyUsage: facts.keyUsage?.usages ?? [], extendedKeyUsage: facts.extendedKeyUsage?.usages ?? [], mustStaple: facts.mustStaple, hasChallengePassword: facts.challengePassword.present, isCaRequest: facts.basicConstraints?.isCa ?? false,
    findings: findings.map(({ code, severity, message }) => ({ code, severity, message })),
  }
}

export function registerIssuedRoutes(app: App, { database, localCa, now }: IssuedRouteDeps): void {
  const { db } = database
  const detail = async (row: IssuedRow) => showDetail(row, await listIssuers(db), now())

  implement(app, 'listIssuedCertificates', async ({ query }) => {
    const limit = query.limit ?? 50
    const rows = await listIssued(db, { search: query.search, status: query.status, issuerId: query.issuerId, before: query.cursor, limit: limit + 1 }, now())
    const issuers = await listIssuers(db)
    return { items: rows.slice(0, limit).map((row) => showIssued(row, issuers, now())), nextCursor: rows.length > limit ? rows[limit - 1]?.id ?? null : null }
  })
  implement(app, 'getIssuedCertificate', async ({ params }) => detail(await getIssued(db, params.id)))
  implement(app, 'issueCertificate', async ({ body, who }) => {
    const { rules } = await getProfile(db, body.profile)
    if (internalProfiles.includes(body.profile)) throw new CertloopError('PROFILE_VIOLATION', `Only the control plane itself issues by the profile "${body.profile}".`, { fields: ['profile: is not for requests'] })
    // CAs, and what a root signs itself, are for those who make issuers.
    const isUnderRoot = body.issuerId !== undefined && (await getIssuer(db, body.issuerId)).kind === 'root'
    if (rules.kind !== 'end-entity' || isUnderRoot) requirePermission(who, 'ca:write')
    const reference = `request:${newId('req', now())}`
    await localCa.issue(optionsOf(body, reference))
    const row = await findIssued(db, reference)
    if (!row) throw new CertloopError('INTERNAL', 'The certificate was issued and not found.')
    return detail(row)
  })
  const change = (work: (id: IssuedCertificateId) => Promise<IssuedRow>) => async ({ params }: { params: { id: IssuedCertificateId } }) => detail(await work(params.id))
  implement(app, 'revokeCertificate', async ({ params, body }) => detail(await localCa.revocation.revoke(params.id, { reason: body.reason, ...(body.invalidityDate ? { invalidityDate: new Date(body.invalidityDate) } : {}) })))
  implement(app, 'suspendCertificate', change(localCa.revocation.suspend))
  implement(app, 'resumeCertificate', change(localCa.revocation.resume))
  implement(app, 'inspectCsr', async ({ body }) => report(body.csrPem))
}
