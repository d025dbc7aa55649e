import { CertloopError, type HostFacts } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { connectLocally } from '../local-connect.ts'

/** The half of a Host that a place for files alone can have. */
export type FilePlace = Pick<Host, 'readFile' | 'stat' | 'list' | 'stageFile' | 'linkFile' | 'renameFile' | 'removeFile' | 'makeDirectory' | 'removeDirectory'>

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/

/**
 * A host that takes files and nothing else. Its services are proven from the bot: a loopback address means the host's own.
 * @param how for people, as in "over FTP"
 */
export function filesOnlyHost(kind: 'ftp' | 'sftp', how: string, host: string, files: FilePlace): Host {
  const facts: HostFacts = { hostName: host, os: 'unknown', osVersion: 'unknown', arch: 'unknown', addresses: [] }
  return {
    kind,
    ...files,
    facts: () => Promise.resolve(facts),
    realPath: async (path) => (await files.stat(parentOf(path)) === undefined ? undefined : path),
    async placeScript() {
      throw new CertloopError('COMMAND_NOT_ALLOWED', `A script can not be run on ${host}: it is reached ${how}, which takes files alone.`, { host })
    },
    removeScript: () => Promise.resolve(),
    async run(argv) {
      throw new CertloopError('COMMAND_NOT_ALLOWED', `${argv.join(' ')} can not be run on ${host}: it is reached ${how}, which takes files alone. Reach it over SSH, or let a program there watch the files.`, { host })
    },
    connect: (to, timeoutMs) => connectLocally('address' in to && loopback.test(to.address) ? { ...to, address: host } : to, timeoutMs),
    processes: () => Promise.resolve([]),
    listeners: () => Promise.resolve([]),
  }
}

/** The folder of a path: these protocols speak of POSIX paths whatever the server runs on. */
export const parentOf = (path: string): string => path.replace(/\/[^/]*$/, '') || '/'
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
