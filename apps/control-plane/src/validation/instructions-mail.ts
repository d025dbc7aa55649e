import { CertloopError, toCertloopError, type AttemptId, type OrderId } from '@certloop/contract'
import { fromJson, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { findOrder, type OrderRow } from '../order/order-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { addTask, replacePayload } from '../task/task-store.ts'
import type { Mail } from './mailer.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { fullName, markNotified, validationsOf, type ValidationRow } from './validation-store.ts'
import { comeAgain } from './validation-tasks.ts'
import { instructionsOf } from './validation-words.ts'
import { settingsOf } from './ways.ts'

/** So long it is waited for the other names of the same order, so that one mail has them all. */
const gatherMs = 15_000
const longestGatherMs = 120_000
const mostTries = 8

/** Recipients that are left, and how often it was tried; ids: of the names that the mail is about, once it was begun. */
interface Sending { to?: string[]; ids?: string[]; tries?: number }

/** One mail for each recipient, with all names of the attempt that wait for a person. */
export async function mailSoon(tx: Tx, wake: Wakes, row: ValidationRow, now: Date): Promise<void> {
  const order = await findOrder(tx, row.orderId)
  if (!order || settingsOf(order).notify.length === 0) return
  await addTask(tx, wake, { executor: 'control-plane', kind: 'send-mail', subject: row.attemptId, dedupe: `mail:${row.attemptId}`, notBefore: new Date(now.getTime() + gatherMs), maxAttempts: 20 }, now)
}

/** Sends the instructions. Whatever becomes of it, the order goes on: the instructions are on its page too. */
export function sendMailKind({ database, mailer, publicUrl, now }: ValidationDeps): PlaneTaskKind {
  const { db } = database
  return {
    async run(task) {
      const { to, ids, tries = 0 } = fromJson<Sending>(task.payload)
      const all = await validationsOf(db, task.subject as AttemptId)
      const rows = all.filter((row) => row.state === 'waiting' && (ids ? ids.includes(row.id) : row.notifiedAt === null))
      const order = rows[0] && await findOrder(db, rows[0].orderId)
      if (!order) return async () => {}
      const toCome = all.some((row) => row.state === 'planned' && now().getTime() - new Date(row.createdAt).getTime() < longestGatherMs)
      if (toCome && tries === 0) return (tx, wake) => comeAgain(tx, wake, task, new Date(now().getTime() + gatherMs))
      const recipients = to ?? settingsOf(order).notify
      if (!mailer) return (tx) => notSent(tx, order, rows, new CertloopError('MAIL_NOT_SENT', `The instructions could not be sent to ${recipients.join(', ')}: no mail server is set. They are on the page of the order.`), now())
      const left = new Map<string, CertloopError>()
      const mail = writeMail(rows, await certificateName(db, order), publicUrl())
      for (const recipient of recipients) {
        await mailer.send({ ...mail, to: recipient }).catch((error: unknown) => { left.set(recipient, toCertloopError(error)) })
      }
      const sent = recipients.filter((recipient) => !left.has(recipient))
      return async (tx, wake) => {
        await markNotified(tx, rows.map(({ id }) => id), now())
        if (sent.length > 0) await addEvent(tx, { kind: 'validation.mailed', message: `The instructions for ${rows.map(fullName).join(', ')} were sent to ${sent.join(', ')}.`, certificateId: order.certificateId, orderId: order.id }, now())
        const again = [...left].filter(([, error]) => error.facts['refused'] !== 'yes' && tries + 1 < mostTries).map(([recipient]) => recipient)
        for (const [recipient, error] of left) {
          if (tries === 0 || !again.includes(recipient)) await notSent(tx, order, rows, new CertloopError('MAIL_NOT_SENT', `${error.message}${again.includes(recipient) ? ' It is tried again.' : ' It is not tried again; the instructions are on the page of the order.'}`, { to: recipient }), now())
        }
        if (again.length === 0) return
        await replacePayload(tx, task.id, toJson({ to: again, ids: rows.map(({ id }) => id), tries: tries + 1 } satisfies Sending))
        await comeAgain(tx, wake, task, new Date(now().getTime() + 60_000 * 2 ** tries))
      }
    },
    async failed(tx, _wake, task, error) {
      const rows = await validationsOf(tx, task.subject as AttemptId)
      const order = rows[0] && await findOrder(tx, rows[0].orderId)
      if (order) await notSent(tx, order, [], new CertloopError('MAIL_NOT_SENT', `The instructions could not be sent: ${error.message}`), now())
    },
  }
}

async function notSent(tx: Tx, { id, certificateId }: Pick<OrderRow, 'id' | 'certificateId'>, rows: readonly ValidationRow[], error: CertloopError, now: Date): Promise<void> {
  if (rows.length > 0) await markNotified(tx, rows.map((row) => row.id), now)
  await addEvent(tx, { kind: 'validation.mail-not-sent', message: error.message, error, certificateId, orderId: id }, now)
}

const certificateName = async (db: Db, { certificateId }: OrderRow): Promise<string> =>
  (await db.selectFrom('certificate').select('name').where('id', '=', certificateId).executeTakeFirst())?.name ?? certificateId

/** In plain text: what to do for each name, until when, and where to see how it stands. */
function writeMail(rows: readonly ValidationRow[], certificate: string, publicUrl: string | undefined): Omit<Mail, 'to'> {
  const [first] = rows
  const until = first?.deadline ? `Please do it before ${first.deadline.slice(0, 16).replace('T', ' ')} UTC; after that the order fails and has to be started again.` : undefined
  const parts = rows.map((row) => `${fullName(row)}\n${instructionsOf(row).map((step, i) => `${i + 1}. ${step}`).join('\n')}`)
  const count = rows.length === 1 ? 'one name' : `${rows.length} names`
  return {
    subject: `To do for the certificate ${certificate}: prove ${count}`,
    text: [
      `A certificate for ${certificate} is on order. Before it is issued, the authority wants to see that ${count} in it ${rows.length === 1 ? 'is' : 'are'} under your control.`,
      ...(until ? [until] : []), ...parts, ...(publicUrl && first ? [`How it stands: ${publicUrl}${orderPath(first.orderId)}`] : []),
    ].join('\n\n'),
    id: `${rows.map(({ id }) => id).toSorted().at(-1)}.${rows.length}@certloop`,
  }
}
const orderPath = (id: OrderId) => `/orders/${id}`
