import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairProblem, type PairUse } from '../shared/pem-files/pairs.ts'
import { type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import { type Context, contextsOf } from './contexts.ts'
import { doveconf, type Instance } from './instance.ts'
import { parseGeneral, parseTlsBlocks } from './settings.ts'

/** The configuration as the master reads it. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE in Dovecot's own words */
export async function readConfiguration(host: Host, instance: Instance): Promise<PemConfiguration> {
  // -P also shows keys and passwords: that text stays here, the one without it is what a plan relies on.
  const [shown, open, every] = [await doveconf(host, instance, '-n'), await doveconf(host, instance, '-n', '-P'), await doveconf(host, instance, '-S')]
  const blocks = parseTlsBlocks(open)
  const general = parseGeneral(every)
  const listening = new Set((await host.listeners()).map(socketKey))
  const isThere = (socket: Socket) => !socket.address.includes(':') || listening.has(socketKey(socket))
  const { contexts, left } = contextsOf(general, blocks, isThere)
  const found = contexts.map((context) => usesOf(context, path.posix.dirname(instance.configurationPath)))
  return {
    texts: [{ name: `doveconf -n of ${instance.configurationPath}`, text: withoutFirstLines(shown) }, { name: 'listeners of doveconf -S', text: JSON.stringify(general) }, { name: 'TLS blocks of doveconf -nP', text: found.flatMap(({ uses }) => uses.map(pathsOf)).join('\n') }],
    pairs: joinUses(found.flatMap(({ uses }) => uses)),
    problems: unique([...found.flatMap(({ problems }) => problems), ...left.map((reason) => ({ where: instance.configurationPath, reason }))]),
  }
}

const pathsOf = ({ certificatePath, keyPath }: PairUse) => `${certificatePath} ${keyPath}`
const unique = (problems: readonly PairProblem[]) => [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]

/** The remarks at the top name the kernel and the host, which are none of the plan's business. */
const withoutFirstLines = (text: string) => text.replace(/^(#.*\n)+/, '')

function usesOf(context: Context, folder: string): { uses: PairUse[]; problems: PairProblem[] } {
  const { listener, address, serverName, names, settings } = context
  const uses: PairUse[] = []
  const problems: PairProblem[] = []
  const pairs = ['ssl_', 'ssl_alt_'].flatMap((prefix) => {
    const [certificate = '', key = ''] = [settings.get(`${prefix}cert`), settings.get(`${prefix}key`)]
    if (certificate === '' && key === '') return []
    const [certificatePath, keyPath] = [fileOf(certificate, folder), fileOf(key, folder)]
    if (certificatePath !== undefined && keyPath !== undefined) return [{ certificatePath, keyPath }]
    problems.push({ where: serverName ?? listener.name, reason: `${certificatePath === undefined ? `${prefix}cert` : `${prefix}key`} names no file (a file has "<" before its path)` })
    return []
  })
  const endpoints = address === null || listener.haproxy ? [] : [{ address, port: listener.port, serverName, startTls: listener.startTls ?? null, holder: context }]
  const left = listener.haproxy ? [`${listener.name}: it expects the PROXY protocol`] : []
  for (const pair of pairs) uses.push({ ...pair, chainPath: null, holder: context, of: pairs.length, names, endpoints, left })
  return { uses, problems }
}

/** "</etc/ssl/mail.pem" → the path; text without "<" is the certificate itself. */
function fileOf(value: string, folder: string): string | undefined {
  return value.startsWith('<') ? path.posix.resolve(folder, value.slice(1).trim()) : undefined
}
