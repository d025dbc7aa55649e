import { isId, type BotId, type HostScan } from '@certloop/contract'
import { saveScan } from '../bot/bot-store.ts'
import type { Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { serversWithoutSecrets } from '../provisioning/place.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { BotTaskHandler } from '../task/task-kinds.ts'
import { recordScan } from './record-scan.ts'
import { secretsOfScan } from './remote-scan.ts'
import { forgetHostNames, namesOfHost, saveHostNames } from './host-name-store.ts'
import { earlierLooks, endRemoteScan, findRemoteScan, type RemoteScanRow } from './remote-scan-store.ts'

const figures = ({ servers }: HostScan) => `${servers.length} running servers, ${servers.reduce((n, s) => n + s.slots.length, 0)} places for certificates`

/** Scans of bots' own hosts: the subject is the bot. */
function ownScan({ now }: { now: () => Date }): BotTaskHandler {
  return {
    async completed(tx, wake, task, data) {
      const scan = data as HostScan
      const botId = task.subject as BotId
      await saveScan(tx, botId, scan)
      await recordScan(tx, wake, botId, scan, now())
      await addEvent(tx, { kind: 'bot.scanned', message: `The host was scanned: ${figures(scan)}.`, botId }, now())
      announce(wake, 'bot', botId)
    },
    async failed(tx, wake, task, error) {
      await addEvent(tx, { kind: 'bot.scan-failed', message: error.message, error, botId: task.subject as BotId }, now())
      announce(wake, 'bot', task.subject)
    },
  }
}

/** Who looks for a place for a certificate finds this host by its names; a later look at it takes the place of this one. */
async function rememberHost(tx: Tx, { id, botId, reach }: RemoteScanRow, scan: HostScan): Promise<void> {
  await forgetHostNames(tx, await earlierLooks(tx, { id, botId, reach }))
  const answered = scan.servers.flatMap(({ slots }) => slots.flatMap(({ names }) => names))
  await saveHostNames(tx, botId, id, namesOfHost(scan, [(JSON.parse(reach) as { host: string }).host, ...answered]))
}

/** Looks at other hosts: the subject is the scan. */
function remoteScan({ secrets, now }: { secrets: Secrets; now: () => Date }): BotTaskHandler {
  const rowOf = async (tx: Parameters<typeof findRemoteScan>[0], subject: string): Promise<RemoteScanRow | undefined> => (isId('scn', subject) ? findRemoteScan(tx, subject) : undefined)
  const hostOf = (row: RemoteScanRow) => (JSON.parse(row.reach) as { host: string }).host
  return {
    async completed(tx, wake, task, data) {
      const row = await rowOf(tx, task.subject)
      const { host, servers, problems } = data as HostScan
      if (!row || !await endRemoteScan(tx, row.id, { scan: { host, servers, problems } }, now())) return
      await rememberHost(tx, row, data as HostScan)
      await addEvent(tx, { kind: 'bot.remote-scanned', message: `${hostOf(row)} was looked at over SSH: ${figures(data as HostScan)}.`, requester: row.requester, botId: row.botId }, now())
      announce(wake, 'bot', row.botId)
    },
    async failed(tx, wake, task, error) {
      const row = await rowOf(tx, task.subject)
      if (!row || !await endRemoteScan(tx, row.id, { error: error.toWire() }, now())) return
      await addEvent(tx, { kind: 'bot.remote-scan-failed', message: `${hostOf(row)} could not be looked at over SSH: ${error.message}`, error, requester: row.requester, botId: row.botId }, now())
      announce(wake, 'bot', row.botId)
    },
    async secretsOf(tx, task) {
      const row = await rowOf(tx, task.subject)
      return row && secretsOfScan(secrets, row)
    },
  }
}

/** Results of the bot's scan-host. What drivers may say of secrets in a configuration is not kept. */
export function scanHandler(deps: { secrets: Secrets; now: () => Date }): BotTaskHandler {
  const [own, remote] = [ownScan(deps), remoteScan(deps)]
  const of = (subject: string) => (subject.startsWith('scn_') ? remote : own)
  return {
    async completed(tx, wake, task, data) {
      const scan = data as HostScan
      await of(task.subject).completed(tx, wake, task, { ...scan, servers: serversWithoutSecrets(scan.servers) } satisfies HostScan)
    },
    failed: (tx, wake, task, error) => of(task.subject).failed(tx, wake, task, error),
    secretsOf: async (tx, task) => of(task.subject).secretsOf?.(tx, task),
  }
}
