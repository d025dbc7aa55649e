import { isIP } from 'node:net'
import { type DetectedServer, type DetectedSlot, type Installation, type Reach, type ServedCertificate, type SshReach, type TargetSuggestion } from '@certloop/contract'
import { serverTypes } from '@certloop/server-types'
import { latestScan, placesAnsweringTo } from '../bot/bot-store.ts'
import { fromJson, fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { hostsCalled, type CalledHost } from '../discovery/host-name-store.ts'
import { findRemoteScan } from '../discovery/remote-scan-store.ts'
import { manifestOf, placeKeyOf, placeTitle } from '../provisioning/place.ts'

/** Best first: where it is, where it is asked for, where its host is. */
const ranks = { installed: 0, answers: 1, answersRemote: 2, host: 3, hostRemote: 4, perhaps: 5 } as const
interface Ranked extends TargetSuggestion { rank: number; /** How many names speak for it. */ shared: number }

const mostHosts = 20
const mostSuggestions = 50

const keyOf = ({ botId, serverType, fields, reach = 'local' }: TargetSuggestion) => `${botId} ${serverType} ${placeKeyOf(manifestOf(serverType), fields, reach)}`
const machineKey = ({ botId, serverType, reach = 'local' }: Pick<TargetSuggestion, 'botId' | 'serverType' | 'reach'>) => `${botId} ${serverType} ${reach === 'local' ? 'local' : `${reach.host.toLowerCase()}:${reach.port}`}`

/**
 * Places that fit a certificate, best first: where it is installed; places that answer to its names; servers on hosts that
 * are called or addressed as it says, or where it was seen, over SSH too. Nothing is looked up outside. Secrets are not in it.
 */
export async function suggestTargets(db: Db, names: readonly string[], installations: readonly Installation[]): Promise<TargetSuggestion[]> {
  const found = new Map<string, Ranked>()
  const add = (suggestion: Ranked) => {
    const key = keyOf(suggestion)
    if (!found.has(key)) found.set(key, suggestion)
  }
  for (const { botId, botName, serverType, title, fields } of installations) add({ botId, botName, serverType, title, fields, why: 'It is installed there now.', rank: ranks.installed, shared: 0 })
  for (const { botId, botName, serverType, fields, names: shared } of await placesAnsweringTo(db, names)) {
    if (serverTypes.find(serverType)) add({ botId, botName, serverType, title: placeTitle(manifestOf(serverType), fields), fields, why: answersTo(shared), rank: ranks.answers, shared: shared.length })
  }
  for (const each of await onHosts(db, names, seenAt(installations), new Set([...found.values()].map(machineKey)))) add(each)
  return [...found.values()].toSorted((a, b) => a.rank - b.rank || b.shared - a.shared).slice(0, mostSuggestions).map(({ rank: _rank, shared: _shared, ...suggestion }) => suggestion)
}

const answersTo = (shared: readonly string[]) => `The server there answers to ${shared.join(', ')}.`

/** Addresses at which this certificate is served, as other machines know them. */
const seenAt = (installations: readonly Installation[]): string[] =>
  [...new Set(installations.flatMap(({ served }: { served: readonly ServedCertificate[] }) => served.map(({ endpoint }) => endpoint.address.toLowerCase())))].filter((address) => !/^(127\.|::1$|localhost$)/.test(address))

/** Why a host fits; perhaps: by a name alone that others may have too. */
function whyHost({ names: matched }: CalledHost, names: readonly string[], seen: readonly string[]): { why: string; perhaps: boolean } {
  const [exact] = matched.filter((name) => names.includes(name) && !name.startsWith('*.'))
  if (exact !== undefined) return { why: isIP(exact) === 0 ? `The host answers to the name ${exact}.` : `The host has the address ${exact}.`, perhaps: false }
  const [where] = matched.filter((name) => seen.includes(name))
  if (where !== undefined) return { why: `The certificate was seen at ${where}, an address of this host.`, perhaps: false }
  const [first = ''] = matched
  return { why: first.startsWith('*.') ? `${first} covers the name of the host.` : `The host answers to the name ${first}.`, perhaps: true }
}

async function onHosts(db: Db, names: readonly string[], seen: readonly string[], taken: ReadonlySet<string>): Promise<Ranked[]> {
  const short = names.filter((name) => isIP(name) === 0 && !name.startsWith('*.')).map((name) => name.split('.')[0] ?? '').filter((label) => label !== '')
  const hosts = (await hostsCalled(db, [...names.map((name) => name.toLowerCase()), ...short, ...seen])).map((host) => ({ host, fits: whyHost(host, names, seen) }))
  const suggestions: Ranked[] = []
  for (const { host, fits } of hosts.toSorted((a, b) => Number(a.fits.perhaps) - Number(b.fits.perhaps)).slice(0, mostHosts)) {
    const seenThere = await serversOf(db, host)
    for (const server of seenThere?.servers ?? []) suggestions.push(...onServer(server, host, { names, reach: seenThere?.reach ?? 'local', fits, taken }))
  }
  return suggestions
}

async function serversOf(db: Db, { botId, scanId }: CalledHost): Promise<{ servers: readonly DetectedServer[]; reach: Reach } | undefined> {
  if (scanId === '') {
    const scan = await latestScan(db, botId)
    return scan && { servers: scan.servers, reach: 'local' }
  }
  const row = await findRemoteScan(db, scanId)
  const scan = row && fromJsonOrNull<{ servers: DetectedServer[] }>(row.scan)
  return row && scan ? { servers: scan.servers, reach: fromJson<SshReach>(row.reach) } : undefined
}

interface Onto { names: readonly string[]; reach: Reach; fits: { why: string; perhaps: boolean }; taken: ReadonlySet<string> }

/** Its places that answer to the names; where none does, the server itself: a place of another certificate is not to be taken. */
function onServer({ serverType, title, slots }: DetectedServer, { botId, botName }: CalledHost, { names, reach, fits, taken }: Onto): Ranked[] {
  const entry = serverTypes.find(serverType)
  if (!entry || taken.has(machineKey({ botId, serverType, reach }))) return []
  const common = { botId, botName, serverType, ...(reach === 'local' ? {} : { reach }) }
  const answering = slots.map((slot) => ({ slot, shared: slot.names.filter((name) => names.includes(name)) })).filter(({ shared }) => shared.length > 0)
  if (answering.length > 0) return answering.map(({ slot: { fields }, shared }) => ({ ...common, title: placeTitle(entry.manifest, fields, reach), fields, why: answersTo(shared), rank: reach === 'local' ? ranks.answers : ranks.answersRemote, shared: shared.length }))
  const rank = fits.perhaps ? ranks.perhaps : reach === 'local' ? ranks.host : ranks.hostRemote
  return [{ ...common, title: `${title}${reach === 'local' ? '' : ` on ${reach.host}`}`, fields: commonFields(slots), why: `${fits.why} ${title} runs there and has no place for this certificate yet.`, rank, shared: 0 }]
}

/** What all places of a server have alike, such as its configuration file. */
function commonFields(slots: readonly DetectedSlot[]): Record<string, unknown> {
  const [first, ...others] = slots
  return Object.fromEntries(Object.entries(first?.fields ?? {}).filter(([name, value]) => others.length > 0 && others.every(({ fields }) => JSON.stringify(fields[name]) === JSON.stringify(value))))
}
