import { CertloopError, subjectPartsOf, type BotTaskPayload, type BotTaskResult, type ErrorCode, type OrderId } from '@certloop/contract'
import { compareCsr, orderChain, readCertificate, readCsr, type CertificateFacts, type KeyUsage } from '@certloop/pki'
import type { AuthorityOf, IssuedBefore } from '../authority/authority.ts'
import { issuedBefore } from '../authority/issued-before.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, insertVersion } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addTask, cancelReadyTasks, type Task } from '../task/task-store.ts'
import type { BotTaskHandler, PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { isOpenOrder } from './order-state.ts'
import { changeOrder, csrRequestOf, findOrder, getOrder, insertOrder, requestOf, type NewOrder, type OrderRow } from './order-store.ts'

export interface OrderDeps {
  database: Database
  authorityOf: AuthorityOf
  now: () => Date
}

const submitTask = (order: { id: OrderId }) => ({ executor: 'control-plane' as const, kind: 'submit-order', subject: order.id, maxAttempts: 50 })

/** Starts an order: the bot makes the key, or a CSR came along and it goes to the authority at once. */
export async function startOrder(tx: Tx, wake: Wakes, order: NewOrder, now: Date): Promise<OrderRow> {
  const row = await insertOrder(tx, wake, order, now)
  if (row.csrPem) {
    const ready = await changeOrder(tx, wake, row, { event: 'csrReady', message: 'The uploaded request is submitted.', nextAction: 'The authority issues.' }, now)
    await addTask(tx, wake, { ...submitTask(row), deadline: order.deadline }, now)
    return ready
  }
  if (!row.botId) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'There is no bot to make the key, and no CSR was uploaded.')
  const request = csrRequestOf(row)
  // Bots of an earlier version take no field that they don't know.
  const payload: BotTaskPayload<'make-csr'> = { orderId: row.id, commonName: row.commonName, names: [...order.names], keyAlgorithm: row.keyAlgorithm, reuseKeyId: row.reuseKeyId, ...(Object.keys(request).length > 0 ? { request } : {}) }
  await addTask(tx, wake, { executor: row.botId, kind: 'make-csr', subject: row.id, payload, deadline: order.deadline }, now)
  return row
}

/** After an order has ended: its certificate's status follows, and its action goes on. */
async function settle(tx: Tx, wake: Wakes, order: OrderRow, now: Date): Promise<void> {
  if (order.actionId) await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: order.actionId }, now)
  await refreshCertificate(tx, wake, order.certificateId, now)
}

export async function failOrder(tx: Tx, wake: Wakes, order: OrderRow, error: CertloopError, now: Date): Promise<void> {
  if (!isOpenOrder(order.state)) return
  const ended = await changeOrder(tx, wake, order, { event: 'failed', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, now)
  await settle(tx, wake, ended, now)
}

export async function cancelOrder(tx: Tx, wake: Wakes, order: OrderRow, requester: string, now: Date): Promise<OrderRow> {
  await cancelReadyTasks(tx, order.id, ['make-csr'])
  const ended = await changeOrder(tx, wake, order, { event: 'cancelled', message: 'Cancelled by hand.', requester }, now)
  await settle(tx, wake, ended, now)
  return ended
}

const digestOf = (signatureAlgorithm: string): string | undefined => /sha(?:256|384|512)/i.exec(signatureAlgorithm)?.[0].toLowerCase()

/** What the bot made must be what was asked for. @throws CertloopError CSR_MISMATCH, CSR_INVALID */
function checkCsr(order: OrderRow, csrPem: string): void {
  const csr = readCsr(csrPem)
  const { subject = {}, keyUsages = [], extendedKeyUsages = [], mustStaple = false, signatureAlgorithm } = requestOf(order)
  const differences = compareCsr(csr, {
    names: fromJson<string[]>(order.names), keyAlgorithm: order.keyAlgorithm, subject: subjectPartsOf(subject), commonName: order.commonName,
    keyUsage: keyUsages as KeyUsage[], extendedKeyUsage: extendedKeyUsages, mustStaple, certificateAuthority: null,
  }).map(({ message }) => message)
  if (signatureAlgorithm && digestOf(csr.signatureAlgorithm) !== signatureAlgorithm) differences.push(`It is signed with ${csr.signatureAlgorithm}; wanted was ${signatureAlgorithm}.`)
  if (differences.length > 0) throw new CertloopError('CSR_MISMATCH', `The CSR that the bot made is not what was ordered: ${differences.slice(0, 5).join(' ')}`, { orderId: order.id })
}

/** Results of the bot's make-csr. */
export function makeCsrHandler({ now }: OrderDeps): BotTaskHandler {
  return {
    async completed(tx, wake, task, data) {
      const { keyId, csrPem } = data as BotTaskResult<'make-csr'>
      const order = await getOrder(tx, task.subject as OrderId)
      if (order.state !== 'pending') return // cancelled meanwhile; the key stays unused on the host
      try {
        checkCsr(order, csrPem)
      } catch (error) {
        if (!(error instanceof CertloopError)) throw error
        await failOrder(tx, wake, order, error, now())
        return
      }
      await changeOrder(tx, wake, order, { event: 'csrReady', message: 'The key was made on the host; the request goes to the authority.', nextAction: 'The authority issues.', keyId, csrPem, deadline: order.deadline ? new Date(order.deadline) : null }, now())
      await addTask(tx, wake, { ...submitTask(order), ...(order.deadline ? { deadline: new Date(order.deadline) } : {}) }, now())
      await refreshCertificate(tx, wake, order.certificateId, now())
    },
    async failed(tx, wake, task, error) {
      const order = await findOrder(tx, task.subject as OrderId)
      if (order) await failOrder(tx, wake, order, error, now())
    },
  }
}

/** What was asked for besides names and key, and the certificate has not. An authority may add usages of its own. */
function lackOf(order: OrderRow, leaf: CertificateFacts): string | undefined {
  const { subject = {}, keyUsages = [], extendedKeyUsages = [], mustStaple = false } = requestOf(order)
  const parts = subjectPartsOf(subject).filter(({ type, value }) => !leaf.subjectFields.some((field) => field.type === type && field.value === value))
  if (parts.length > 0) return `lacks ${parts.map(({ type, value }) => `${type}=${value}`).join(', ')} in its subject`
  const usages = [...keyUsages.filter((usage) => !leaf.keyUsage?.usages.some((has) => has === usage)), ...extendedKeyUsages.filter((usage) => !leaf.extendedKeyUsage?.usages.includes(usage))]
  if (usages.length > 0) return `lacks the usages ${usages.join(', ')}`
  return mustStaple && !leaf.mustStaple ? 'lacks must-staple' : undefined
}

/** The issued certificate must be what was ordered, with the key of the CSR. @throws CertloopError ISSUED_CERTIFICATE_WRONG */
function checkIssued(order: OrderRow, chainPem: readonly string[]): CertificateFacts[] {
  const chain = orderChain(chainPem.map((pem) => readCertificate(pem)))
  const [leaf] = chain
  const wrong = (what: string) => new CertloopError('ISSUED_CERTIFICATE_WRONG', `The issued certificate ${what}.`)
  if (!leaf || !order.csrPem) throw wrong('is missing')
  if (leaf.spkiDigest !== readCsr(order.csrPem).spkiDigest) throw wrong('has another key than the CSR')
  const missing = fromJson<string[]>(order.names).filter((name) => !leaf.names.includes(name))
  if (missing.length > 0) throw wrong(`lacks the names ${missing.join(', ')}`)
  const lack = lackOf(order, leaf)
  if (lack) throw wrong(lack)
  return chain
}

/** After these it is not known whether the authority took the request. */
const unknownOutcome: ReadonlySet<ErrorCode> = new Set(['TASK_DEADLINE_PASSED', 'TASK_ATTEMPTS_EXHAUSTED', 'AUTHORITY_UNREACHABLE'])

/** A person has to look at the authority: ordering again by itself could issue, and cost, twice. */
async function doubtOrder(tx: Tx, wake: Wakes, order: OrderRow, cause: CertloopError, now: Date): Promise<void> {
  const error = new CertloopError('ORDER_UNCERTAIN', `It is unknown whether the authority issued: ${cause.message}`, { orderId: order.id })
  await changeOrder(tx, wake, order, { event: 'outcomeUnknown', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, now)
  await refreshCertificate(tx, wake, order.certificateId, now)
}

/** What a renewal takes the place of, for authorities that count or price renewals otherwise (RFC 9773, 5). */
async function replacedBy({ db }: Database, { replacesVersionId }: OrderRow): Promise<{ replaces?: IssuedBefore }> {
  const version = replacesVersionId ? await findVersion(db, replacesVersionId) : undefined
  return version ? { replaces: issuedBefore(version) } : {}
}

/** Submits an order to its authority. The order's id is the reference: a repeat finds what was issued before. */
export function submitOrderKind({ database, authorityOf, now }: OrderDeps): PlaneTaskKind {
  return {
    async run(task: Task) {
      const order = await getOrder(database.db, task.subject as OrderId)
      if (order.state !== 'processing' || !order.csrPem) return async () => {}
      const authority = await authorityOf(database.db, order.authorityId)
      const { csrPem, commonName, keyAlgorithm, validityDays } = order
      const request = { reference: order.id, csrPem, names: fromJson<string[]>(order.names), commonName, keyAlgorithm, validityDays, request: csrRequestOf(order), profile: requestOf(order).profile, ...await replacedBy(database, order) }
      const call = { signal: new AbortController().signal, note: () => {}, keep: async () => {} }
      const issued = (task.attempts > 1 ? await authority.find?.(request, call) : undefined) ?? await authority.submit(request, call)
      if (issued.state !== 'issued') throw new CertloopError('AUTHORITY_ANSWER_INVALID', 'The authority takes its time.')
      const chain = checkIssued(order, issued.chainPem)
      return (tx, wake) => completeOrder(tx, wake, order, chain, now())
    },
    async failed(tx, wake, task, error) {
      const order = await findOrder(tx, task.subject as OrderId)
      if (!order) return
      if (order.state === 'processing' && task.attempts > 0 && unknownOutcome.has(error.code)) await doubtOrder(tx, wake, order, error, now())
      else await failOrder(tx, wake, order, error, now())
    },
  }
}

async function completeOrder(tx: Tx, wake: Wakes, order: OrderRow, chain: readonly CertificateFacts[], now: Date): Promise<void> {
  const [leaf] = chain
  if (!leaf) throw new CertloopError('ISSUED_CERTIFICATE_WRONG', 'The authority sent no certificate.')
  const versionId = await insertVersion(tx, {
    ...versionColumns(leaf), certificateId: order.certificateId, custody: order.custody, keyBotId: order.botId, keyId: order.keyId, orderId: order.id, source: 'order', chainPem: chain.map((c) => c.pem),
  }, now)
  const ended = await changeOrder(tx, wake, order, { event: 'issued', message: `Issued until ${leaf.notAfter.toISOString().slice(0, 10)} (${leaf.fingerprint.slice(0, 16)}…).`, versionId }, now)
  await settle(tx, wake, ended, now)
}

/** The columns of a version that are read from the certificate itself. */
export function versionColumns(leaf: CertificateFacts) {
  const { fingerprint, serialNumber, subject, issuer, names, keyAlgorithm, signatureAlgorithm, spkiDigest } = leaf
  return { fingerprint, serialNumber, subject, issuer, names, keyAlgorithm, signatureAlgorithm, spkiDigest, notBefore: leaf.notBefore.toISOString(), notAfter: leaf.notAfter.toISOString() }
}
