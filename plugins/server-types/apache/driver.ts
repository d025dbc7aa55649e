import type { HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { pemServerDriver } from '../shared/pem-files/driver.ts'
import { forPlans } from '../shared/pem-files/environment.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { commandOf, findMasters, type Instance, isInForeground, namedDefines, readInstance, startOptions } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, Configuration>({
  manifest,
  title: 'Apache',
  findProcesses: findMasters,
  mayBeNamed,
  readInstance,
  isNamed: (instance, fields) => instance.configurationPath === path.posix.normalize(fields.configurationPath)
    && (fields.serverRoot === undefined || path.posix.resolve(fields.serverRoot) === instance.serverRoot)
    && (fields.defines === undefined || fields.defines.trim().split(/\s+/).join(' ') === namedDefines(instance.start)),
  keyOf: ({ configurationPath, start, serverRoot }) => [configurationPath, ...(start.root === null ? [] : ['-d', serverRoot]), ...namedDefines(start).split(' ').filter(Boolean).flatMap((name) => ['-D', name])].join(' '),
  readConfiguration,
  activation,
  moreFields: ({ start, serverRoot }) => ({
    ...(start.root === null ? {} : { serverRoot }),
    ...(namedDefines(start) === '' ? {} : { defines: namedDefines(start) }),
  }),
  encryptedKey: 'This key is encrypted (SSLPassPhraseDialog). httpd asks for its pass phrase only when it starts, and a new key would be written without one. Decrypt the key file once (openssl pkey -in … -out …), restart httpd, and try again',
  // After a graceful restart previous children take connections until they have noticed.
  steadyMilliseconds: 500,
})

function mayBeNamed(master: HostProcess, { configurationPath }: Fields): boolean {
  const { configuration } = startOptions(master)
  return configuration === null || !path.posix.isAbsolute(configuration) || path.posix.normalize(configuration) === path.posix.normalize(configurationPath)
}

function activation(instance: Instance, { variables }: Configuration): Activation {
  const { values, complete } = forPlans(instance.environment, variables)
  return {
    service: instance.process.service ?? `${instance.product} (${instance.configurationPath})`,
    test: commandOf(instance, '-t'),
    reload: commandOf(instance, '-k', 'graceful'),
    start: complete || instance.process.service !== null ? startCommand(instance) : undefined,
    environment: values,
  }
}

/** How to start it should it be found down: a bad pair at a graceful restart ends the master. */
function startCommand(instance: Instance): string[] | undefined {
  const { service } = instance.process
  // systemctl would need root again, which these steps give up.
  if (service !== null) return instance.runAs === undefined ? ['systemctl', 'start', service] : undefined
  return isInForeground(instance) ? undefined : commandOf(instance, '-k', 'start')
}
