import type { TestContext } from 'node:test'
import { tempFolder } from '@certloop/test-kit'
import { joinControlPlane } from '../src/join.ts'
import type { Logger, LogFacts } from '../src/log.ts'
import { startContractServer, type ServerOptions } from './contract-server.ts'

/** A control plane of the contract, and a data folder that joined it. */
export async function joinedBot(t: TestContext, options: ServerOptions) {
  const server = await startContractServer(t, options)
  const dataFolder = await tempFolder(t, 'bot')
  const host = { hostName: 'web-1', os: 'linux', osVersion: '12', arch: 'x64', addresses: [] }
  const identity = await joinControlPlane({ token: server.token(), dataFolder, name: 'web-1', host, proxy: undefined, environment: {} })
  return { server, dataFolder, identity }
}

/** A logger whose lines can be looked at. */
export function listeningLogger(): Logger & { lines: { level: string; message: string; facts: LogFacts }[] } {
  const lines: { level: string; message: string; facts: LogFacts }[] = []
  const at = (level: string) => (message: string, facts: LogFacts = {}) => { lines.push({ level, message, facts }) }
  return { lines, info: at('info'), warn: at('warn'), error: at('error') }
}
