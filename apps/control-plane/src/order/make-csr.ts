import { CertloopError, subjectPartsOf, type BotTaskResult, type OrderId } from '@certloop/contract'
import { compareCsr, readCsr, type KeyUsage } from '@certloop/pki'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import type { BotTaskHandler } from '../task/task-kinds.ts'
import { changeOrder, findOrder, getOrder, requestOf, wantedNames, type OrderRow } from './order-store.ts'
import { pokeOrder } from './order-task.ts'
import { failOrder } from './settle.ts'

const digestOf = (signatureAlgorithm: string): string | undefined => /sha(?:256|384|512)/i.exec(signatureAlgorithm)?.[0].toLowerCase()

/** What the bot made must be what was asked for. @throws CertloopError CSR_MISMATCH, CSR_INVALID */
function checkCsr(order: OrderRow, csrPem: string): void {
  const csr = readCsr(csrPem)
  const { subject = {}, keyUsages = [], extendedKeyUsages = [], mustStaple = false, signatureAlgorithm } = requestOf(order)
  const differences = compareCsr(csr, {
    names: wantedNames(order), keyAlgorithm: order.keyAlgorithm, subject: subjectPartsOf(subject), commonName: order.commonName,
    keyUsage: keyUsages as KeyUsage[], extendedKeyUsage: extendedKeyUsages, mustStaple, certificateAuthority: null,
  }).map(({ message }) => message)
  if (signatureAlgorithm && digestOf(csr.signatureAlgorithm) !== signatureAlgorithm) differences.push(`It is signed with ${csr.signatureAlgorithm}; wanted was ${signatureAlgorithm}.`)
  if (differences.length > 0) throw new CertloopError('CSR_MISMATCH', `The CSR that the bot made is not what was ordered: ${differences.slice(0, 5).join(' ')}`, { orderId: order.id })
}

/** Results of the bot's make-csr. */
export function makeCsrHandler({ now }: { now: () => Date }): BotTaskHandler {
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
      await changeOrder(tx, wake, order, { event: 'csrReady', message: 'The key was made on the host; the request goes to the authority.', nextAction: 'The authority issues.', keyId, csrPem }, now())
      await pokeOrder(tx, wake, order.id, now())
      await refreshCertificate(tx, wake, order.certificateId, now())
    },
    async failed(tx, wake, task, error) {
      const order = await findOrder(tx, task.subject as OrderId)
      // Late word of a task from before it went on: what came after it counts.
      if (order?.state === 'pending') await failOrder(tx, wake, order, error, now())
    },
  }
}
