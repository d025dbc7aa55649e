import { DatabaseSync } from 'node:sqlite'
import { median, quantile } from '../statistics.ts'

/** The way of one certificate through a rotation, each part from one event of its timeline to the next. */
export const phaseNames = {
  csr: { from: 'order.created', to: 'order.csrReady', title: 'key and request: until the bot has told them' },
  authority: { from: 'order.csrReady', to: 'order.issued', title: 'authority: until the certificate is stored' },
  between: { from: 'order.issued', to: 'deployment.created', title: 'dispatcher: until its deployment is begun' },
  plan: { from: 'deployment.created', to: 'deployment.approved', title: 'plan: until the bot has told it' },
  deploy: { from: 'deployment.approved', to: 'deployment.proven', title: 'deployment: until it is proven' },
  end: { from: 'deployment.proven', to: 'action.done', title: 'dispatcher: until the action has ended' },
} as const
export type Phase = keyof typeof phaseNames
interface Spread { median: number; p95: number }
/** In ms; whole: from the start of the action to its end. batch: from its first start to its last end. */
export interface Phases { certificates: number; batch: number; whole: Spread; parts: Record<Phase, Spread> }

interface EventRow { certificateId: string; kind: string; at: string }
const spread = (values: readonly number[]): Spread => ({ median: median(values), p95: quantile(values, 0.95) })

/** Pure. Certificates whose timeline is not whole are an error: the figures would be of others than those asked for. */
export function phasesOf(events: readonly EventRow[]): Phases {
  const timelines = new Map<string, Map<string, number>>()
  for (const { certificateId, kind, at } of events) {
    const times = timelines.get(certificateId) ?? new Map<string, number>()
    timelines.set(certificateId, times.set(kind, Date.parse(at)))
  }
  const between = (from: string, to: string): number[] => [...timelines].map(([id, times]) => {
    const [began, ended] = [times.get(from), times.get(to)]
    if (began === undefined || ended === undefined) throw new Error(`the timeline of ${id} holds no "${began === undefined ? from : to}"`)
    return ended - began
  })
  const all = (kind: string) => [...timelines.values()].map((times) => times.get(kind) ?? Number.NaN)
  const parts = Object.fromEntries(Object.entries(phaseNames).map(([name, { from, to }]) => [name, spread(between(from, to))])) as Phases['parts']
  return { certificates: timelines.size, batch: Math.max(...all('action.done')) - Math.min(...all('action.rotate')), whole: spread(between('action.rotate', 'action.done')), parts }
}

/** Of all actions in a database, read beside the control plane. */
export function readPhases(file: string): Phases {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const kinds = ['action.rotate', 'action.done', ...Object.values(phaseNames).flatMap(({ from, to }) => [from, to])]
    return phasesOf(db.prepare(`select "certificateId", kind, at from event where "certificateId" is not null and kind in (${kinds.map(() => '?').join(', ')}) order by id`).all(...kinds) as unknown as EventRow[])
  } finally {
    db.close()
  }
}
