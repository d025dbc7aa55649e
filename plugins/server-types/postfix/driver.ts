import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { readConfiguration } from './configuration.ts'
import { commandOf, findMasters, type Instance, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'Postfix',
  findProcesses: findMasters,
  readInstance,
  readConfiguration,
  activation: (instance) => {
    const { service } = instance.process
    const start = service === null ? commandOf(instance, 'start') : throughSudo(instance.sudo, ['systemctl', 'start', service])
    return { service: service ?? `Postfix (${instance.configFolder})`, test: commandOf(instance, 'check'), reload: commandOf(instance, 'reload'), start }
  },
  // An smtpd that was idle at the reload may take one more connection before it ends.
  steadyMilliseconds: 250,
})
