import { isIP } from 'node:net'
import type { BotId, HostScan, Id } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

/** What a host is called and answers to: its own names and addresses, of the bot's machine or of one that a bot looked at over SSH. */
export interface HostNameTable {
  /** In lower case. "*.example.com" stands for a host below it. */
  name: string
  botId: BotId
  /** Of a look over SSH; '' for the machine of the bot. */
  scanId: Id<'scn'> | ''
}
export interface HostNameTables { hostName: HostNameTable }

const mostNames = 5000
const rowsAtOnce = 1000

/** Addresses that mean another machine on each machine, or all of them. */
const meansNobody = (address: string) => /^(127\.|0\.0\.0\.0$|169\.254\.|::1?$|fe[89ab][0-9a-f]:|::ffff:127\.)/i.test(address)
const withoutZone = (address: string) => address.toLowerCase().replace(/%.*$/, '')
/** As certificates have it. */
const canonical = (address: string) => (isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address)

/** The wildcard that covers a name, where one can. */
const wildcardOf = (name: string): string[] => (isIP(name) === 0 && name.split('.').length > 2 ? [`*${name.slice(name.indexOf('.'))}`] : [])

/** All that a certificate for this host could name. */
export function namesOfHost({ host, listeners }: Pick<HostScan, 'host' | 'listeners'>, more: readonly string[] = []): string[] {
  const addresses = [...host.addresses, ...listeners.map(({ address }) => address), ...more].map(withoutZone).filter((text) => isIP(text) !== 0 && !meansNobody(text)).map(canonical)
  const names = [host.hostName, ...more].map((name) => name.toLowerCase().replace(/\.$/, '')).filter((name) => isIP(name) === 0 && name !== '' && name !== 'localhost' && name.length <= 253 && !name.includes('\0'))
  return [...new Set([...names, ...names.flatMap(wildcardOf), ...addresses])].slice(0, mostNames)
}

/** In place of what was known of this host. */
export async function saveHostNames(tx: Tx, botId: BotId, scanId: HostNameTable['scanId'], names: readonly string[]): Promise<void> {
  await tx.deleteFrom('hostName').where('botId', '=', botId).where('scanId', '=', scanId).execute()
  for (let i = 0; i < names.length; i += rowsAtOnce) await tx.insertInto('hostName').values(names.slice(i, i + rowsAtOnce).map((name) => ({ name: name.toWellFormed(), botId, scanId }))).execute()
}
export async function forgetHostNames(tx: Tx, scanIds: readonly Id<'scn'>[]): Promise<void> {
  if (scanIds.length > 0) await tx.deleteFrom('hostName').where('scanId', 'in', [...scanIds]).execute()
}

export interface CalledHost { botId: BotId; botName: string; scanId: HostNameTable['scanId']; /** Those of the names asked for. */ names: string[] }
/** A name may be that of every host of a fleet: more than this nobody looks through. */
const mostRows = 200

/** Hosts that are called so, of bots that may provision. */
export async function hostsCalled(db: Db | Tx, names: readonly string[]): Promise<CalledHost[]> {
  if (names.length === 0) return []
  const rows = await db.selectFrom('hostName as n').innerJoin('bot as b', 'b.id', 'n.botId').select(['n.name', 'n.botId', 'n.scanId', 'b.name as botName'])
    .where('n.name', 'in', [...new Set(names)]).where('b.revokedAt', 'is', null).where('b.purpose', '!=', 'discovery').orderBy('n.botId').orderBy('n.scanId').orderBy('n.name').limit(mostRows).execute()
  const hosts = new Map<string, CalledHost>()
  for (const { name, ...host } of rows) {
    const known = hosts.get(`${host.botId} ${host.scanId}`)
    if (known) known.names.push(name)
    else hosts.set(`${host.botId} ${host.scanId}`, { ...host, names: [name] })
  }
  return [...hosts.values()]
}
