import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { type Channel, channelsOf } from './channels.ts'
import { readConfig } from './config-xml.ts'
import { readIdentity } from './identity.ts'
import { restInterface } from './rest.ts'

// The process itself: one server of a domain, named by -Dweblogic.Name, in the folder it was started in.

const folder = process.cwd()
const name = process.argv.find((arg) => arg.startsWith('-Dweblogic.Name='))?.slice('-Dweblogic.Name='.length) ?? 'AdminServer'
const say = (text: string) => { process.stdout.write(`${text}\n`) }
const wordsOf = (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error))

let config = readConfig(readFileSync(join(folder, 'config', 'config.xml'), 'utf8'))
let refusals = 0
const servers = new Map<string, { channel: Channel; server: TlsServer }>()

const handle = restInterface({
  name, folder, config: () => config,
  restartSslChannels: () => restartSslChannels(),
  activated: () => reread(),
  refuses: () => refusals > 0 && refusals-- > 0,
})

function reread(): void {
  config = readConfig(readFileSync(join(folder, 'config', 'config.xml'), 'utf8'))
  void restartSslChannels()
}

/** Where an administration port is on, the management is there alone. */
function listenerFor({ kind }: Channel, administered: boolean): RequestListener {
  return (request, response) => {
    if (administered && kind !== 'administration' && request.url?.startsWith('/management') === true) response.writeHead(404).end()
    else handle(request, response)
  }
}

const channels = () => channelsOf(folder, config, name)
const isAdministered = () => channels().some(({ kind }) => kind === 'administration')

function listening(server: Server, { address, port }: Channel): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, address, () => { server.off('error', reject); resolve() })
  })
}

/** A channel that can't load its identity is not there; the server runs on without it. Connections go on with what they began with. */
async function openTls(channel: Channel): Promise<void> {
  const present = servers.get(channel.name)?.server
  try {
    if (channel.identity === undefined) throw new Error('it has no identity but the demo one')
    const identity = readIdentity(channel.identity)
    const server = present ?? createTlsServer(listenerFor(channel, isAdministered()))
    server.setSecureContext(identity)
    if (!server.listening) await listening(server, channel)
    servers.set(channel.name, { channel, server })
    say(`BEA-002613 Channel "${channel.name}" is now listening on ${channel.address}:${channel.port}`)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw error
    say(`BEA-090169 Channel "${channel.name}": ${wordsOf(error)}`)
    present?.close()
    servers.delete(channel.name)
  }
}

async function restartSslChannels(): Promise<void> {
  for (const channel of channels()) if (channel.kind !== 'plain') await openTls(channel)
}

async function start(): Promise<void> {
  writeFileSync('/proc/self/comm', 'java')
  for (const channel of channels()) {
    if (channel.kind === 'plain') await listening(createServer(listenerFor(channel, isAdministered())), channel)
    else await openTls(channel)
  }
  process.on('SIGUSR2', () => { refusals++; say(`the next ${refusals} changes are refused`) })
  process.on('SIGHUP', reread) // stands for a restart of the process
  say('BEA-000365 Server state changed to RUNNING')
}

start().catch((error: unknown) => {
  say(`${wordsOf(error)}`)
  process.exitCode = 1
  process.exit()
})
