import path from 'node:path'
import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { readConfiguration } from './configuration.ts'
import { doveconfCommand, dovecotCommand, findMasters, type Instance, namedConfiguration, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

const plain = path.posix.normalize

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'Dovecot',
  findProcesses: findMasters,
  mayBeNamed: (master, { configurationPath }) => plain(namedConfiguration(master) ?? configurationPath) === plain(configurationPath),
  readInstance,
  isNamed: ({ configurationPath }, fields) => configurationPath === plain(fields.configurationPath),
  readConfiguration,
  activation,
  // Login processes of before the reload may take one more connection.
  steadyMilliseconds: 250,
})

function activation(instance: Instance): Activation {
  const { process: { service }, configurationPath, sudo, runAs, inForeground } = instance
  // systemctl would need root again, which these steps give up.
  const byService = service === null || runAs !== undefined ? undefined : throughSudo(sudo, ['systemctl', 'start', service])
  return {
    service: service ?? `Dovecot (${configurationPath})`,
    // -x reads every file that is named with "<"; one harmless setting is enough to be shown.
    test: doveconfCommand(instance, '-x', '-h', 'ssl_min_protocol'),
    reload: dovecotCommand(instance, 'reload'),
    start: service === null && !inForeground ? dovecotCommand(instance) : byService,
  }
}
