import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { unitOf } from '../shared/pem-files/systemd.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { checkLogin, clientOf } from './client.ts'
import { readConfiguration } from './configuration.ts'
import { findServers, type Instance, isAtLeast, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'MySQL or MariaDB server',
  named: { field: 'dataFolder', words: 'the data folder' },
  findProcesses: findServers,
  mayBeNamed: ({ workingDirectory }, { dataFolder }) => workingDirectory === '' || workingDirectory === path.posix.resolve(dataFolder),
  readInstance,
  isNamed: ({ dataFolder }, fields) => dataFolder === path.posix.resolve(fields.dataFolder),
  keyOf: ({ dataFolder }) => dataFolder,
  readConfiguration,
  activation,
  encryptedKey: 'This key is encrypted (ssl_passphrase), and a new one would be written without a pass phrase. Decrypt the key file once (openssl pkey -in … -out …, same owner and mode), and try again',
})

/** There is no test of the files that changes nothing: what --help or --validate-config look at are options, not certificates. */
async function activation(instance: Instance, { pairs }: PemConfiguration, { host, fields }: { host: Host; fields: Fields }): Promise<Activation> {
  const { product, version, dataFolder, process, sudo } = instance
  const call = (...argv: string[]) => throughSudo(sudo, argv)
  const unit = await unitOf(host, process)
  const start = unit === null ? undefined : call('systemctl', 'start', unit)
  const service = unit ?? `${product} (${dataFolder})`
  if (fields.activation === 'restart') {
    if (unit === null) throw new CertloopError('PLAN_FAILED', `Process ${process.pid} is not the main process of a systemd unit, so it can not be restarted.`, { pid: process.pid })
    return { service, test: null, reload: call('systemctl', 'restart', unit), start, runAs: null }
  }
  const statement = statementOf(instance)
  if (statement === undefined) throw new CertloopError('PLAN_FAILED', `${product} ${version} can not take up new files while it runs; MariaDB 10.4 and MySQL 8.0.16 were the first that can. Choose the restart in the target.`)
  const client = await clientOf(host, instance, fields)
  await checkLogin(host, client, instance, pairs.map(({ certificatePath }) => certificatePath))
  return { service, test: null, reload: client.argv(statement), runAs: client.runAs, ...(client.runAs === null ? { start } : {}) }
}

function statementOf({ isMariaDb, version }: Instance): string | undefined {
  if (isMariaDb) return isAtLeast(version, [10, 4]) ? 'FLUSH SSL' : undefined
  return isAtLeast(version, [8, 0, 16]) ? 'ALTER INSTANCE RELOAD TLS' : undefined
}
