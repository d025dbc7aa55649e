import { fileURLToPath } from 'node:url'
import { DatabaseSync } from 'node:sqlite'
import type { CertificateId } from '@certloop/contract'
import type { Plane } from './plane.ts'

/** A control plane that can be told to kill itself at its k-th commit. */
export const program = fileURLToPath(new URL('./crashing-plane.ts', import.meta.url))

/** From now on its commits are counted. */
export async function arm(plane: Plane): Promise<void> {
  plane.process().kill('SIGUSR2')
  await plane.process().waitFor(/^counting$/m)
}

/** Moments to be killed at, from the first to the last: all when they are few, else so many spread over all. */
export const spread = (moments: number, most: number): number[] =>
  [...new Set(Array.from({ length: Math.min(moments, most) }, (_, i) => 1 + Math.floor((i * moments) / Math.min(moments, most))))]

/** Rows as they are on disk: nothing that the API could make look better. */
export function rows<R>(plane: Plane, query: string, ...values: string[]): R[] {
  const db = new DatabaseSync(`${plane.dataFolder}/certloop.sqlite`, { readOnly: true })
  try {
    return db.prepare(query).all(...values) as R[]
  } finally {
    db.close()
  }
}

/** Work that always waits for its next time. */
const standing = ['renew', 'refresh-certificate', 'scan-host', 'publish-crl', 'ca-maintenance', 'watch-deployment', 'check-authority', 'sweep-validations']
/** All other work that has not ended. */
export const openTasks = (plane: Plane): { kind: string; subject: string }[] =>
  rows(plane, `select kind, subject from task where state in ('ready', 'leased') and kind not in (${standing.map((kind) => `'${kind}'`).join(', ')})`)

/** The rotation that was asked for. When the answer was lost: the one that was begun, or else a new one. */
export async function rotate({ plane, id }: { plane: Plane; id: CertificateId }): Promise<{ action: `act_${string}`; killed: boolean }> {
  const ask = async () => (await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })).id
  const [before] = rows<{ id: string }>(plane, 'select id from action order by id desc limit 1')
  try {
    return { action: await ask(), killed: false }
  } catch {
    await plane.process().ended
    await plane.restart()
    const [newest] = rows<{ id: `act_${string}` }>(plane, 'select id from action order by id desc limit 1')
    return { action: newest && newest.id !== before?.id ? newest.id : await ask(), killed: true }
  }
}
