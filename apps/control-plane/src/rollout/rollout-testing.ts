import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { rolloutDefault, type CertificateId, type ConfigurationInput, type Rollout, type RolloutId, type RolloutSettings, type TargetPlacement, type WireError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { findAction } from '../provisioning/action-store.ts'
import { makeWorld, place, type TestBot } from '../world-testing.ts'
import { pauseRollout, resumeRollout, stopRollout, undoRollout } from './rollout-control.ts'
import { readRollout } from './rollout-view.ts'

export const broken: WireError = { code: 'RELOAD_FAILED', message: 'nginx did not come back.', facts: {} }
/** Whoever looks at one that is open is told why, what comes next, and by when. */
async function read({ db }: Database, id: RolloutId): Promise<Rollout> {
  const rollout = await readRollout(db, id)
  assert.ok(rollout.endedAt !== null || (rollout.reason && rollout.nextAction && rollout.deadline), JSON.stringify({ ...rollout, targets: [] }))
  assert.ok(rollout.targets.every(({ state, reason }) => !['failed', 'left-out', 'undo-failed'].includes(state) || reason), 'whatever went wrong has a reason')
  return rollout
}

const controls = { pause: pauseRollout, resume: resumeRollout, stop: stopRollout, undo: undoRollout }

export type Changes = Partial<Omit<RolloutSettings, 'gate'>> & { gate?: Partial<RolloutSettings['gate']> }
const settingsWith = (changes: Changes): RolloutSettings => ({ ...rolloutDefault, ...changes, gate: { ...rolloutDefault.gate, ...changes.gate } })

/** A certificate with targets spread over bots, and its rollouts. Its targets are named by their number. */
export async function makeFleet(t: TestContext, database: Database, { bots: botCount, targets: count, rollout, placement = () => ({}), changes = {} }: { bots: number; targets: number; rollout: Changes; placement?: (index: number) => Partial<TargetPlacement>; changes?: Partial<ConfigurationInput> }) {
  const w = await makeWorld(t, database)
  const bots: TestBot[] = []
  for (let i = 0; i < botCount; i++) bots.push(await w.addBot(`web-${i}`))
  const botOf = (index: number): TestBot => bots[index % botCount] ?? assert.fail('no bot')
  const id = await w.addCertificate(['fleet.example'])
  const targets = Array.from({ length: count }, (_, i) => ({ ...w.target(botOf(i), `${i}`), placement: { labels: [], pair: null, ...placement(i) } }))
  const configure = async (next: Changes) => w.save(id, await w.configurationWith(targets, { rollout: settingsWith(next), ...changes }))
  await configure(rollout)
  const path = (index: number) => place(`${index}`).certificatePath
  const newest = async (): Promise<Rollout> => {
    const row = await database.db.selectFrom('rollout').select('id').where('certificateId', '=', id).orderBy('id', 'desc').executeTakeFirstOrThrow()
    return read(database, row.id)
  }
  return {
    ...w, bots, botOf, id, configure, newest,
    /** Starts it and does all that can be done by everybody. */
    async roll(kind: 'rotate' | 'deploy' = 'rotate') {
      const action = await w.start(id, kind)
      await w.settle()
      return { rollout: await newest(), action: async () => await findAction(database.db, action.id) ?? assert.fail('no action') }
    },
    /** Time passes, and everybody does what can be done then. */
    async pass(seconds: number): Promise<Rollout> {
      w.clock.pass(seconds)
      await w.watch()
      await w.settle()
      return newest()
    },
    async control(command: keyof typeof controls, rolloutId: RolloutId): Promise<Rollout> {
      await database.transaction((tx, wake) => controls[command](tx, wake, rolloutId, 'user:anna', w.now()))
      await w.settle()
      return read(database, rolloutId)
    },
    /** What is installed at each target: undefined where there is nothing. */
    installed: () => targets.map((_, i) => botOf(i).installed.get(path(i))),
    /** Puts something else in the place of what was deployed. */
    spoil: (index: number) => { botOf(index).installed.delete(path(index)) },
  }
}
export type Fleet = Awaited<ReturnType<typeof makeFleet>>

/** States of its targets, as listed. */
export const states = ({ targets }: Rollout): string[] => targets.map(({ state }) => state)

/** What happened, in its order, as "created 3, proven 3, nextWave". */
export async function story(database: Database, certificateId: CertificateId): Promise<string> {
  const rows = await database.db.selectFrom('event').select('kind').where('certificateId', '=', certificateId).orderBy('id').execute()
  const told = rows.map(({ kind }) => kind.split('.')).filter(([domain, what]) => domain === 'rollout' || (domain === 'deployment' && ['created', 'proven', 'failed', 'cancelled'].includes(what ?? ''))).map(([, what]) => what)
  const lines: [string, number][] = []
  for (const what of told) {
    const last = lines.at(-1)
    if (last && last[0] === what) last[1]++
    else lines.push([what ?? '', 1])
  }
  return lines.map(([what, times]) => (times === 1 ? what : `${what} ${times}`)).join(', ')
}
