import { readFile } from 'node:fs/promises'
import os from 'node:os'
import { CertloopError, type HostFacts } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { Limits } from './limits.ts'
import { connectLocally } from './local-connect.ts'
import { linuxListeners } from './linux-listeners.ts'
import { linuxProcesses } from './linux-processes.ts'
import { localFiles } from './local-files.ts'
import { localScripts } from './local-scripts.ts'
import { runProgram } from './local-run.ts'

/**
 * The machine the bot runs on. Every write and every command asks `limits` first.
 * Processes and listeners are known for Linux; elsewhere these two calls throw.
 */
export function createLocalHost({ limits }: { limits: Limits }): Host {
  return {
    kind: 'local',
    facts: hostFacts,
    ...localFiles(limits),
    ...localScripts(limits),
    async run(argv, options) {
      const [program] = argv
      if (program === undefined) throw new CertloopError('COMMAND_FAILED', 'A command without a program was asked for.')
      return runProgram(await limits.allowCommand(program, options?.script ?? false), argv, options)
    },
    connect: connectLocally,
    async processes() {
      linuxOnly('list of processes')
      return linuxProcesses()
    },
    async listeners() {
      linuxOnly('list of listening sockets')
      return linuxListeners()
    },
  }
}

function linuxOnly(what: string): void {
  if (process.platform !== 'linux') throw new Error(`The ${what} is not there yet for ${process.platform}; this bot can look at Linux hosts only.`)
}

async function hostFacts(): Promise<HostFacts> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const pretty = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1]
  const addresses = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []).filter((entry) => !entry.internal).map((entry) => entry.address)
  return { hostName: os.hostname(), os: process.platform, osVersion: pretty ?? os.release(), arch: process.arch, addresses: [...new Set(addresses)].toSorted() }
}
