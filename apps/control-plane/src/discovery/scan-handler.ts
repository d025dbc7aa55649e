import type { BotId, HostScan } from '@certloop/contract'
import { saveScan } from '../bot/bot-store.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { BotTaskHandler } from '../task/task-kinds.ts'
import { recordScan } from './record-scan.ts'

/** Results of the bot's scan-host. */
export function scanHandler({ now }: { now: () => Date }): BotTaskHandler {
  return {
    async completed(tx, wake, task, data) {
      const scan = data as HostScan
      const botId = task.subject as BotId
      await saveScan(tx, botId, scan)
      await recordScan(tx, wake, botId, scan, now())
      const slots = scan.servers.reduce((n, s) => n + s.slots.length, 0)
      await addEvent(tx, { kind: 'bot.scanned', message: `The host was scanned: ${scan.servers.length} running servers, ${slots} places for certificates.`, botId }, now())
      announce(wake, 'bot', botId)
    },
    async failed(tx, wake, task, error) {
      await addEvent(tx, { kind: 'bot.scan-failed', message: error.message, error, botId: task.subject as BotId }, now())
      announce(wake, 'bot', task.subject)
    },
  }
}
