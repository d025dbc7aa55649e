import { CertloopError, type BotTaskPayload, type BotTaskResult, type RolloutId, type TargetId, type WireError } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { fromJsonOrNull, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { readInstalled, recordInspection, syncState } from '../proof/inspection.ts'
import { findTarget } from '../provisioning/configuration-store.ts'
import { openSecrets } from '../provisioning/kept-secrets.ts'
import { noteHostKey } from '../provisioning/seen-host-key.ts'
import { briefTarget } from '../provisioning/target-briefing.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { BotTaskHandler, Wakes } from '../task/task-kinds.ts'
import { addTask, type Task } from '../task/task-store.ts'
import { findRollout, updateRolloutTarget, wakeRollout, type RolloutRow, type RolloutTargetRow } from './rollout-store.ts'
import { follow } from './rollout-follow.ts'
import { failTarget, inState, ofWave, setTarget, tell, type Moving, type WorkTarget } from './rollout-work.ts'
import { capital, waveName } from './rollout-words.ts'
import { halt, hasFailedEnough, pastGate } from './rollout-wave.ts'

const lookMinutes = 15

/** Targets of the present wave that only their HTTP check is left for; none as long as it is watched or looked at. Pure. */
export function dueChecks<T extends Pick<RolloutTargetRow, 'wave' | 'state' | 'gate'>>(rollout: Pick<RolloutRow, 'state' | 'wave' | 'watchUntil'>, gate: { soakSeconds: number; httpCheck: unknown }, targets: readonly T[], now: Date): T[] {
  if (rollout.state !== 'watching' || !gate.httpCheck || !isOver(rollout, now)) return []
  const deployed = targets.filter((target) => target.wave === rollout.wave && target.state === 'deployed')
  const seen = gate.soakSeconds > 0 ? 'seen' : null
  return deployed.some((target) => target.gate === 'asked' || (seen !== null && target.gate === null)) ? [] : deployed.filter((target) => target.gate === seen)
}
const isOver = ({ watchUntil }: Pick<RolloutRow, 'watchUntil'>, now: Date): boolean => watchUntil === null || new Date(watchUntil) <= now

/** The gate of a wave: watched for the time set, then looked at again, then the HTTP check. @returns whether to look again */
export async function watchWave(work: Moving): Promise<boolean> {
  const { rollout, settings: { gate }, now } = work
  if (!isOver(rollout, now)) {
    work.lookAgainAt = new Date(rollout.watchUntil ?? now)
    return false
  }
  if (gate.soakSeconds > 0 && await askBots(work)) return true
  const name = waveName(rollout, work.settings)
  if (inState(ofWave(work), 'deployed').some((target) => target.gate === 'asked')) {
    await tell(work, { reason: `${capital(name)} was watched; its targets are being looked at again.`, nextAction: 'The bots answer by themselves. One that is away counts as a failure.' })
    return false
  }
  if (!await takeChecks(work)) return false
  if (hasFailedEnough(work)) await halt(work)
  else await pastGate(work)
  return true
}

/** Every target of the wave is inspected once more. @returns whether there was one to ask for */
async function askBots(work: Moving): Promise<boolean> {
  const targets = inState(ofWave(work), 'deployed').filter(({ gate }) => gate === null)
  for (const target of targets) await askBot(work, target)
  return targets.length > 0
}

async function askBot(work: Moving, target: WorkTarget): Promise<void> {
  const { tx, wake, secrets, now, rollout } = work
  const row = await findTarget(tx, target.targetId)
  try {
    if (!row) throw new CertloopError('NOT_FOUND', 'The target is gone.')
    const payload: BotTaskPayload<'inspect-target'> = { target: await briefTarget(tx, secrets, row) }
    await addTask(tx, wake, { executor: row.botId, kind: 'inspect-target', subject: rollout.id, payload, deadline: new Date(now.getTime() + lookMinutes * 60_000), dedupe: `inspect:${rollout.id}:${target.targetId}` }, now)
    await setTarget(work, target, { gate: 'asked' })
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    await failTarget(work, target, { reason: error.message, error, gate: 'failed' })
  }
}

/** A check that fails is made again after `again` for so long: what was just reloaded may need a moment. */
const [trySeconds, againSeconds] = [30, 10]

/** What the HTTP checks have shown. @returns false when some are still to be made */
async function takeChecks(work: Moving): Promise<boolean> {
  const due = dueChecks(work.rollout, work.settings.gate, work.targets, work.now)
  for (const target of due) {
    const error = work.checks.get(target.targetId)
    if (error && !await mayTryAgain(work, target, error)) await failTarget(work, target, { reason: error.message, error, gate: 'failed' })
    else if (error === null) await setTarget(work, target, { gate: 'passed', error: null })
  }
  await follow(work)
  const left = dueChecks(work.rollout, work.settings.gate, work.targets, work.now)
  if (left.length === 0) return true
  work.lookAgainAt = left.every(({ targetId }) => work.checks.has(targetId)) ? new Date(work.now.getTime() + againSeconds * 1000) : work.now
  return false
}

/** Notes since when the check of a target fails. */
async function mayTryAgain(work: Moving, target: WorkTarget, error: CertloopError): Promise<boolean> {
  const since = fromJsonOrNull<WireError>(target.error)?.facts['since'] ?? work.now.toISOString()
  if (work.now.getTime() - Date.parse(String(since)) >= trySeconds * 1000) return false
  const wire = error.toWire()
  await setTarget(work, target, { error: toJson({ ...wire, facts: { ...wire.facts, since } }) })
  await tell(work, { reason: `The HTTP check of ${target.title} fails: ${error.message}`, nextAction: `It is made again every ${againSeconds} s, for ${trySeconds} s in all.` })
  return true
}

const inspected = ({ dedupe }: Pick<Task, 'dedupe'>): TargetId | undefined => dedupe?.split(':')[2] as TargetId | undefined

/** Results of the bot's inspect-target, asked for by a rollout: is what it deployed still there, and served? */
export function watchHandler({ secrets, now }: { secrets: Secrets; now: () => Date }): BotTaskHandler {
  const found = async (tx: Tx, wake: Wakes, task: Task) => {
    const rolloutId = task.subject as RolloutId
    // First of all, as those who work on a rollout take its task before its certificate.
    await wakeRollout(tx, wake, rolloutId, now())
    const targetId = inspected(task)
    const rollout = await findRollout(tx, rolloutId)
    return rollout && targetId ? { rollout, targetId } : undefined
  }
  return {
    async completed(tx, wake, task, data) {
      const subject = await found(tx, wake, task)
      if (!subject) return
      const { rollout: { certificateId }, targetId } = subject
      const inspection = data as BotTaskResult<'inspect-target'>
      await recordInspection(tx, { certificateId, targetId, deploymentId: null, inspection }, now())
      await note(tx, subject, await whatIsWrong(tx, subject, inspection))
      await refreshCertificate(tx, wake, certificateId, now())
    },
    async failed(tx, wake, task, error) {
      const subject = await found(tx, wake, task)
      if (!subject) return
      await noteHostKey(tx, subject.targetId, error, now())
      await note(tx, subject, error)
    },
    async secretsOf(tx, task) {
      const targetId = inspected(task)
      const target = targetId ? await findTarget(tx, targetId) : undefined
      return target && openSecrets(secrets, target)
    },
  }
}

type Subject = { rollout: RolloutRow; targetId: TargetId }
async function targetRow(tx: Tx, { rollout, targetId }: Subject): Promise<RolloutTargetRow | undefined> {
  return tx.selectFrom('rolloutTarget').selectAll().where('rolloutId', '=', rollout.id).where('targetId', '=', targetId).executeTakeFirst()
}

async function whatIsWrong(tx: Tx, subject: Subject, inspection: BotTaskResult<'inspect-target'>): Promise<CertloopError | null> {
  const row = await targetRow(tx, subject)
  const version = row?.versionId ? await findVersion(tx, row.versionId) : undefined
  const state = syncState(version?.fingerprint ?? null, readInstalled(inspection.installedPem).first?.fingerprint ?? null, inspection.served)
  if (state === 'in-sync') return null
  const unanswered = inspection.served.find(({ error }) => error !== null)?.error
  return new CertloopError('PROOF_MISMATCH', `After the watching, the version that was deployed is ${state === 'missing' ? 'no longer there' : 'no longer served everywhere as it was proven to be'}${unanswered ? `: ${unanswered}` : ''}.`, { targetId: subject.targetId })
}

/** Only what was asked for counts; the rollout takes it over when it is looked at next. */
async function note(tx: Tx, subject: Subject, error: CertloopError | null): Promise<void> {
  const row = await targetRow(tx, subject)
  if (row?.state !== 'deployed' || row.gate !== 'asked') return
  await updateRolloutTarget(tx, row, error ? { gate: 'failed', reason: error.message, error: toJson(error.toWire()) } : { gate: 'seen' })
}
