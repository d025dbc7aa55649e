import { lookup } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { CertloopError, type HostFacts, type RolloutId, type RolloutSettings, type TargetId } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { findTarget, reachOf } from '../provisioning/configuration-store.ts'
import { findRollout, rolloutTargetsOf, settingsOf } from './rollout-store.ts'
import { dueChecks } from './rollout-watch.ts'

const sideBySide = 10
/** How checks are made here. `loopback`: whether addresses of this machine alone may be asked for targets elsewhere. */
export interface CheckSettings { ownHostName: string; loopback: boolean }
/** What one check may ask. */
interface Reachable { loopback: boolean }

const listOf = (...networks: [string, number, 'ipv4' | 'ipv6'][]): BlockList => {
  const list = new BlockList()
  for (const network of networks) list.addSubnet(...network)
  return list
}
// Where clouds hand out credentials; and what is only meant for programs of this machine.
const linkLocal = listOf(['169.254.0.0', 16, 'ipv4'], ['fe80::', 10, 'ipv6'])
const ownMachine = listOf(['127.0.0.0', 8, 'ipv4'], ['0.0.0.0', 8, 'ipv4'], ['::', 127, 'ipv6'])

/** Why an address is never asked, or not for this target; null: it may be. */
function whyRefused(address: string, { loopback }: Reachable): string | null {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (linkLocal.check(address, family)) return `${address} is a link-local address, which is never asked`
  return !loopback && ownMachine.check(address, family) ? `${address} is the control plane itself, and the target is on another machine` : null
}

/** Looks at what a name leads to when it is asked, not before: it may lead elsewhere a moment later. */
const guarded = (reachable: Reachable): LookupFunction => (name, options, callback) => {
  lookup(name, options, (error, found, family) => {
    const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address)
    const [why] = error ? [] : addresses.map((address) => whyRefused(address, reachable)).filter((refusal) => refusal !== null)
    callback(why === undefined ? error : new Error(why), found, family)
  })
}
type HttpCheck = NonNullable<RolloutSettings['gate']['httpCheck']>

/**
 * Asks once, from here, and compares the status code: no redirect is followed, nothing of the body is read, and whose
 * certificate is shown is not checked, as the proof has done that. Private addresses are meant to be asked; link-local ones never are.
 * @returns what is wrong; null when the status is the wanted one. Names neither login nor query of the address.
 */
export async function checkStatus(url: string, { status, timeoutSeconds }: Pick<HttpCheck, 'status' | 'timeoutSeconds'>, reachable: Reachable): Promise<CertloopError | null> {
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (!address) return new CertloopError('HTTP_CHECK_FAILED', 'The address of the HTTP check can not be read once the host is filled in.')
  const shown = `${address.protocol}//${address.host}${address.pathname}`
  const failed = (what: string) => new CertloopError('HTTP_CHECK_FAILED', `${shown} ${what}`)
  const literal = address.hostname.replace(/^\[|\]$/g, '')
  const refusal = isIP(literal) === 0 ? null : whyRefused(literal, reachable)
  if (refusal) return failed(`could not be asked: ${refusal}.`)
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000)
  return new Promise((resolve) => {
    const request = (address.protocol === 'https:' ? httpsRequest : httpRequest)(address, { method: 'GET', agent: false, rejectUnauthorized: false, lookup: guarded(reachable), signal: deadline, headers: { 'user-agent': 'certloop', 'connection': 'close' } })
    request.on('response', (response) => {
      resolve(response.statusCode === status ? null : failed(`answered ${response.statusCode}, not ${status}.`))
      request.destroy()
    })
    request.on('error', (error: NodeJS.ErrnoException) => { resolve(failed(deadline.aborted ? `did not answer within ${timeoutSeconds} s.` : `could not be asked: ${error.code ?? error.message}.`)) })
    request.end()
  })
}

/** The HTTP checks that a rollout waits for; none unless its wave has come so far. Asked outside any transaction. */
export async function makeChecks(db: Db, id: RolloutId, settings: CheckSettings, now: Date): Promise<ReadonlyMap<TargetId, CertloopError | null>> {
  const results = new Map<TargetId, CertloopError | null>()
  const rollout = await findRollout(db, id)
  if (rollout?.state !== 'watching') return results
  const { gate } = settingsOf(rollout)
  const { httpCheck } = gate
  if (!httpCheck) return results
  const waiting = dueChecks(rollout, gate, await rolloutTargetsOf(db, id), now).map(({ targetId }) => targetId)
  const next = async (): Promise<void> => {
    for (let targetId = waiting.shift(); targetId; targetId = waiting.shift()) {
      const { host, isHere } = await hostOf(db, targetId, settings)
      results.set(targetId, host === undefined ? new CertloopError('HTTP_CHECK_FAILED', 'It is not known under which address the host of the target is reached.') : await checkStatus(httpCheck.url.replaceAll('{host}', host), httpCheck, { loopback: settings.loopback || isHere }))
    }
  }
  await Promise.all(Array.from({ length: sideBySide }, next))
  return results
}

/** How a target is reached over the network: as its reach says; for the bot's own machine, by its name. `isHere`: that is this machine. */
async function hostOf(db: Db, id: TargetId, { ownHostName }: CheckSettings): Promise<{ host: string | undefined; isHere: boolean }> {
  const target = await findTarget(db, id)
  if (!target) return { host: undefined, isHere: false }
  const reach = reachOf(target)
  if (reach !== 'local') return { host: inAddress(reach.host), isHere: false }
  const bot = await findBot(db, target.botId)
  const facts = bot ? fromJsonOrNull<HostFacts>(bot.host) : null
  const host = facts?.hostName || facts?.addresses[0]
  return { host: host === undefined ? undefined : inAddress(host), isHere: facts?.hostName === ownHostName }
}

/** As a host stands in an address of the web (RFC 3986, 3.2.2). */
const inAddress = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host)
