import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { type ConfigurationFile, type Directive, parseConfiguration, splitDump } from './config-parser.ts'
import { type Instance, commandOf } from './instance.ts'
import { findServers } from './servers.ts'
import { findPairs } from './slots.ts'

export interface Configuration extends PemConfiguration { root: Directive[] }

const dumpLimitBytes = 64 * 1024 * 1024

/**
 * The configuration as the files say it now, with all pairs that servers show.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE with nginx's own words when it does not pass nginx's test
 */
export async function readConfiguration(host: Host, instance: Instance): Promise<Configuration> {
  const files = await dumpFiles(host, instance)
  const confFolder = path.posix.dirname(instance.configurationPath)
  const root = parseConfiguration(files, confFolder)
  const { hostName } = await host.facts()
  const texts = [...files.map((file) => ({ name: file.path, text: file.text })), { name: `${instance.program} -V`, text: instance.build }]
  return { root, texts, ...findPairs(findServers(root, { confFolder, hostName })) }
}

async function dumpFiles(host: Host, instance: Instance): Promise<ConfigurationFile[]> {
  const argv = commandOf(instance, '-T')
  const dump = await host.run(argv, { timeoutSeconds: 60, outputLimitBytes: dumpLimitBytes, runAs: instance.runAs })
  if (dump.exitCode !== 0) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${instance.product} does not accept its present configuration: ${dump.stderr.trim() || `exit code ${dump.exitCode}`}`, { command: argv.join(' ') })
  if (dump.truncated) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The configuration is longer than ${dumpLimitBytes} bytes.`, { command: argv.join(' ') })
  return splitDump(dump.stdout, async (file) => {
    // Not ours to read (the bot is not root): the dump alone has to do.
    const content = await host.readFile(file, dumpLimitBytes).catch(() => undefined)
    return content && Buffer.from(content).toString('utf8')
  })
}
