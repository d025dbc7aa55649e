import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { CertloopError, type HostFacts, type RolloutId, type RolloutSettings, type TargetId } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { findTarget, reachOf } from '../provisioning/configuration-store.ts'
import { findRollout, rolloutTargetsOf, settingsOf } from './rollout-store.ts'
import { dueChecks } from './rollout-watch.ts'

const sideBySide = 10
type HttpCheck = NonNullable<RolloutSettings['gate']['httpCheck']>

/**
 * Asks once, from here, and compares the status code: no redirect is followed, nothing of the body is read, and whose
 * certificate is shown is not checked, as the proof has done that. Private addresses are meant to be asked.
 * @returns what is wrong; null when the status is the wanted one. Names neither login nor query of the address.
 */
export async function checkStatus(url: string, { status, timeoutSeconds }: Pick<HttpCheck, 'status' | 'timeoutSeconds'>): Promise<CertloopError | null> {
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (!address) return new CertloopError('HTTP_CHECK_FAILED', 'The address of the HTTP check can not be read once the host is filled in.')
  const shown = `${address.protocol}//${address.host}${address.pathname}`
  const failed = (what: string) => new CertloopError('HTTP_CHECK_FAILED', `${shown} ${what}`)
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000)
  return new Promise((resolve) => {
    const request = (address.protocol === 'https:' ? httpsRequest : httpRequest)(address, { method: 'GET', agent: false, rejectUnauthorized: false, signal: deadline, headers: { 'user-agent': 'certloop', 'connection': 'close' } })
    request.on('response', (response) => {
      resolve(response.statusCode === status ? null : failed(`answered ${response.statusCode}, not ${status}.`))
      request.destroy()
    })
    request.on('error', (error: NodeJS.ErrnoException) => { resolve(failed(deadline.aborted ? `did not answer within ${timeoutSeconds} s.` : `could not be asked: ${error.code ?? error.message}.`)) })
    request.end()
  })
}

/** The HTTP checks that a rollout waits for; none unless its wave has come so far. Asked outside any transaction. */
export async function makeChecks(db: Db, id: RolloutId, now: Date): Promise<ReadonlyMap<TargetId, CertloopError | null>> {
  const results = new Map<TargetId, CertloopError | null>()
  const rollout = await findRollout(db, id)
  if (rollout?.state !== 'watching') return results
  const { gate } = settingsOf(rollout)
  const { httpCheck } = gate
  if (!httpCheck) return results
  const waiting = dueChecks(rollout, gate, await rolloutTargetsOf(db, id), now).map(({ targetId }) => targetId)
  const next = async (): Promise<void> => {
    for (let targetId = waiting.shift(); targetId; targetId = waiting.shift()) {
      const host = await hostOf(db, targetId)
      results.set(targetId, host === undefined ? new CertloopError('HTTP_CHECK_FAILED', 'It is not known under which address the host of the target is reached.') : await checkStatus(httpCheck.url.replaceAll('{host}', host), httpCheck))
    }
  }
  await Promise.all(Array.from({ length: sideBySide }, next))
  return results
}

/** How a target is reached over the network: as its reach says; for the bot's own machine, by its name. */
async function hostOf(db: Db, id: TargetId): Promise<string | undefined> {
  const target = await findTarget(db, id)
  if (!target) return undefined
  const reach = reachOf(target)
  const facts = reach === 'local' ? fromJsonOrNull<HostFacts>((await findBot(db, target.botId))?.host ?? null) : undefined
  const host = reach === 'local' ? facts?.hostName || facts?.addresses[0] : reach.host
  return host && isIP(host) === 6 ? `[${host}]` : host
}
