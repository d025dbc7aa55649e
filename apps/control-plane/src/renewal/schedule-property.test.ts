import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError, rolloutDefault, type CertificateId } from '@certloop/contract'
import fc from 'fast-check'
import { updateBot } from '../bot/bot-store.ts'
import { emptyDatabase } from '../database/database-testing.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { stopRollout } from '../rollout/rollout-control.ts'
import { makeWorld, type TestBot, type World } from '../world-testing.ts'

const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }
const hosts = 3
const host = fc.nat(hosts - 1)
type Op = { op: 'revoke' | 'break' | 'mend' | 'add' | 'undo' | 'earlier' | 'stop'; on: number } | { op: 'clock'; days: number } | { op: 'next' }
const ops = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constantFrom('revoke' as const, 'break' as const, 'mend' as const, 'add' as const, 'undo' as const, 'earlier' as const, 'stop' as const), on: host }) },
  { weight: 4, arbitrary: fc.constant({ op: 'next' as const }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('clock' as const), days: fc.constantFrom(0.05, 1, 20) }) },
), { minLength: 6, maxLength: 12 })

interface Play { w: World; id: CertificateId; bots: readonly TestBot[]; targets: Set<number>; rollout: boolean }
const refusals = new Set(['ACTION_NOT_POSSIBLE', 'CONFIGURATION_INCOMPLETE', 'CONFLICT', 'INPUT_INVALID'])
const allowRefusal = (error: unknown) => { if (!(error instanceof CertloopError && refusals.has(error.code))) throw error }
const save = async ({ w, id, bots, targets, rollout }: Play) => w.save(id, await w.configurationWith(bots.filter((_, i) => targets.has(i)).map((bot) => w.target(bot, 'x.example')), rollout ? { rollout: { ...rolloutDefault, mode: 'in-order', gate: { ...rolloutDefault.gate, soakSeconds: 600 } } } : {}))

/** What goes on at one clock time. More than so many rounds is going round in circles. */
async function settle({ w, bots }: Play) {
  for (let round = 0; round < 40; round++) {
    let count = await w.runPlane()
    for (const bot of bots) count += await w.runBot(bot).catch((error: unknown) => { allowRefusal(error); return 0 })
    if (count === 0) return
  }
  assert.fail('it does not come to rest while the clock stands still')
}

async function perform(play: Play, step: Op): Promise<void> {
  const { w, id, bots, targets } = play
  if (step.op === 'clock') return w.clock.pass(step.days * 86_400)
  if (step.op === 'next') {
    const { nextRenewalAt } = await w.detail(id)
    return w.clock.pass(Math.max(60, nextRenewalAt ? (Date.parse(nextRenewalAt) - w.now().getTime()) / 1000 : 0))
  }
  const bot = bots[step.on] as TestBot
  if (step.op === 'revoke') await updateBot(w.database.db, bot.id, { revokedAt: w.now().toISOString() })
  else if (step.op === 'break') bot.fails.set('deploy', down)
  else if (step.op === 'mend') bot.fails.clear()
  else if (step.op === 'add') {
    const [pem] = bots.flatMap((other) => [...other.installed])
    if (pem && !targets.has(step.on)) bot.installed.set(...pem)
    targets.add(step.on)
    await save(play).catch(allowRefusal)
    await w.start(id, 'recheck-pinning').catch(allowRefusal)
  } else await byHand(play, step.op)
}

async function byHand({ w, id }: Play, op: string): Promise<void> {
  const { db } = w.database
  if (op === 'earlier') {
    const versionId = (await db.selectFrom('certificateVersion').select('id').where('certificateId', '=', id).orderBy('ordinal').executeTakeFirst())?.id
    await w.start(id, 'deploy', { versionId }).catch(allowRefusal)
  } else if (op === 'undo') {
    const last = await db.selectFrom('deployment').select('id').where('certificateId', '=', id).where('undoes', 'is', null).where('state', '=', 'deployed').orderBy('id', 'desc').executeTakeFirst()
    if (last) await w.database.transaction((tx, wake) => undoDeployment(tx, wake, last.id, { requester: 'user:anna' }, w.secrets, w.now())).catch(allowRefusal)
  } else {
    const open = await db.selectFrom('rollout').select('id').where('endedAt', 'is', null).executeTakeFirst()
    if (open) await w.database.transaction((tx, wake) => stopRollout(tx, wake, open.id, 'user:anna', w.now())).catch(allowRefusal)
  }
}

const dayMs = 86_400_000
/** Of three months, and a person who keeps more than three days before the end: once a day. Less is retried after a third of what is left. */
async function check({ w, id }: Play): Promise<void> {
  const rows = await w.database.db.selectFrom('action').select(['kind', 'state', 'createdAt', 'endedAt']).where('certificateId', '=', id).where('requester', '=', 'schedule').orderBy('id').execute()
  const ends = rows.map((row) => row.endedAt).filter((end) => end !== null)
  assert.equal(new Set(ends).size, ends.length, `two actions of the schedule ended at one time: ${JSON.stringify(rows)}`)
  const served = await w.database.db.selectFrom('certificateVersion').select('notAfter').where('certificateId', '=', id).execute()
  for (const [i, row] of rows.entries()) {
    const [before, at] = [rows[i - 1], Date.parse(row.createdAt)]
    // A turn lies up to an hour after the check, so two of them can be an hour less than a day apart.
    const isNear = served.some(({ notAfter }) => Math.abs(Date.parse(notAfter) - at) < 4 * dayMs || Date.parse(notAfter) < at)
    if (before && !isNear) assert.ok(new Date(at).toISOString().slice(0, 10) !== before.createdAt.slice(0, 10), `twice on one day: ${JSON.stringify([before, row])}`)
  }
}

async function makePlay(t: TestContext, rollout: boolean): Promise<Play> {
  const w = await makeWorld(t, await emptyDatabase(t))
  const bots: TestBot[] = []
  for (let i = 0; i < hosts; i++) bots.push(await w.addBot(`host-${i}`))
  const play: Play = { w, id: await w.addCertificate(['x.example']), bots, targets: new Set([0, 1]), rollout }
  await save(play)
  await w.act(play.id, 'rotate')
  return play
}

test('whatever happens to its hosts, the schedule does one thing at a time, and at most one a day', { timeout: 120_000 }, async (t) => {
  await fc.assert(fc.asyncProperty(ops, fc.boolean(), async (steps, rollout) => {
    const play = await makePlay(t, rollout)
    for (const step of steps) {
      await perform(play, step)
      await settle(play)
      await check(play)
    }
  }), { numRuns: 8, interruptAfterTimeLimit: 6000, markInterruptAsFailure: false })
})
