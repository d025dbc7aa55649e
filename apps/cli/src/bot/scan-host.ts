import type { RemoteScan } from '@certloop/api-client'
import { storedFailure } from '../certificate/follow-action.ts'
import { defineCommand } from '../command.ts'
import { exitCodes, usage } from '../failure.ts'
import { findBot } from '../find.ts'
import { follow, readTimeout, waitOptions } from '../follow.ts'
import { facts } from '../format/table.ts'
import { reachText, readWay, wayOptions } from '../target/way.ts'
import { serverLines } from './server-lines.ts'

export const botScanHost = defineCommand({
  noun: 'bot', verb: 'scan-host', summary: 'Look at another host over SSH through a bot, and print the servers found there',
  args: { bot: { help: 'id or name' }, address: { help: 'ssh://user@host:port' } },
  options: { ...wayOptions, 'key-file': { ...wayOptions['key-file'], help: 'log in with this private key; it is forgotten when the look has ended' }, timeout: waitOptions.timeout },
  examples: ['bot scan-host web1 ssh://deploy@db1.example --password-stdin < password.txt', 'bot scan-host web1 ssh://deploy@db1.example --key-file id_deploy --sudo --jump ssh://hop@gate.example --jump-key-file id_hop'],
  notes: ['Nothing is kept but what was found, for 7 days: what you give to log in is forgotten when the look has ended. Make a target from it: certloop target set CERTIFICATE --scan ID --place TEXT.'],
  async run(context, { args, options }) {
    const timeoutSeconds = readTimeout(options.timeout)
    const { reach, secrets } = await readWay(context, args.address, options)
    if (reach === 'local' || reach.kind !== 'ssh') throw usage('A host can be looked at over ssh:// alone.')
    const botId = await findBot(context, args.bot)
    const client = await context.client()
    const { id } = await client.call('startRemoteScan', { params: { id: botId }, body: { reach, secrets } })
    const scan = await follow<RemoteScan>(context, {
      look: async () => { const value = await client.call('getRemoteScan', { params: { id } }); return { value, lines: [], ended: value.state !== 'running' } },
      concerns: (notice) => notice.id === botId, timeoutSeconds, later: `certloop target set CERTIFICATE --scan ${id}`,
    })
    context.show(scan, (safe) => [
      ...facts([['Scan', safe.id], ['Way', reachText(safe.reach)], ['State', safe.state], ['Host', safe.host && `${safe.host.hostName}, ${safe.host.os} ${safe.host.osVersion}, ${safe.host.arch}`]]),
      ...(safe.state === 'done' ? serverLines(safe.servers, safe.problems) : []),
    ])
    if (scan.state === 'done') return exitCodes.done
    context.fail(await storedFailure(context, 'The host could not be looked at.', scan.error))
    if (scan.error?.code === 'HOST_KEY_UNKNOWN') context.note('Once you compared the fingerprint with the host itself, look again with --host-key (--jump-host-key for a jump host).')
    return exitCodes.failed
  },
})
