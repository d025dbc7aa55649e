import type { HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { pemServerDriver } from '../shared/pem-files/driver.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { commandOf, findMasters, type Instance, readInstance, startOptions } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, Configuration>({
  manifest,
  title: 'nginx',
  findProcesses: findMasters,
  mayBeNamed,
  readInstance,
  isNamed: ({ configurationPath, prefix }, fields) =>
    configurationPath === path.posix.normalize(fields.configurationPath) && (fields.prefix === undefined || plain(fields.prefix) === plain(prefix ?? '')),
  keyOf: ({ configurationPath, prefix }) => (prefix === null ? configurationPath : `${configurationPath} -p ${prefix}`),
  readConfiguration,
  activation,
  moreFields: ({ prefix }) => (prefix === null ? {} : { prefix }),
  // A reloading master lets old and new workers accept side by side for 100 ms before it ends the old ones.
  steadyMilliseconds: 250,
})

const plain = (folder: string) => path.posix.normalize(`${folder}/`)

function mayBeNamed(master: HostProcess, { configurationPath }: Fields): boolean {
  const { configuration } = startOptions(master)
  return configuration === null || !path.posix.isAbsolute(configuration) || path.posix.normalize(configuration) === path.posix.normalize(configurationPath)
}

function activation(instance: Instance, configuration: Configuration): Activation {
  return {
    service: instance.process.service ?? `${instance.product} (${instance.configurationPath})`,
    test: commandOf(instance, '-t', '-q'),
    reload: commandOf(instance, '-s', 'reload'),
    start: startCommand(instance, configuration),
  }
}

/** How to start it should it be found down. One that stays in the foreground is started by whoever watches over it. */
function startCommand(instance: Instance, { root }: Configuration): string[] | undefined {
  const { service } = instance.process
  // systemctl would need root again, which these steps give up.
  if (service !== null && instance.runAs !== undefined) return undefined
  if (service !== null) return throughSudo(instance.sudo, ['systemctl', 'start', service])
  const inForeground = root.some(({ name, args }) => name === 'daemon' && args[0]?.toLowerCase() === 'off') || /\bdaemon\s+off\b/i.test(instance.globals ?? '')
  return inForeground ? undefined : commandOf(instance)
}
