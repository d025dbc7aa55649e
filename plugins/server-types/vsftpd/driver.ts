import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { unitOf } from '../shared/pem-files/systemd.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { readConfiguration } from './configuration.ts'
import { findListeners, type Instance, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'vsftpd',
  findProcesses: findListeners,
  readInstance,
  readConfiguration,
  activation,
})

/** The pair is read once, at the start: a SIGHUP reads the configuration again, and not the pair (tried with 3.0.3). */
async function activation({ process, sudo, configurationPath }: Instance, _configuration: PemConfiguration, { host, fields }: { host: Host; fields: Fields }): Promise<Activation> {
  const call = (argv: readonly string[]) => throughSudo(sudo, argv)
  if (fields.restartCommand !== undefined) {
    const restart = call(fields.restartCommand)
    return { service: `vsftpd (${configurationPath})`, test: null, reload: restart, start: restart, script: true, runAs: null }
  }
  const unit = await unitOf(host, process)
  if (unit === null) throw new CertloopError('PLAN_FAILED', `vsftpd reads its certificate when it starts and has to be restarted, and process ${process.pid} is not the main process of a systemd unit. Name a command in the field "Restart command".`, { pid: process.pid })
  return { service: unit, test: null, reload: call(['systemctl', 'restart', unit]), start: call(['systemctl', 'start', unit]), runAs: null }
}
