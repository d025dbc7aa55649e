import path from 'node:path'
import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import { readConfiguration } from './configuration.ts'
import { findPostmasters, type Instance, readInstance, settingCommand } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

const plain = path.posix.normalize

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'PostgreSQL',
  findProcesses: findPostmasters,
  mayBeNamed: ({ workingDirectory }, { dataDirectory }) => workingDirectory === '' || workingDirectory === plain(dataDirectory),
  readInstance,
  isNamed: ({ dataDirectory, configurationPath }, fields) => dataDirectory === plain(fields.dataDirectory) && configurationPath === plain(fields.configurationPath),
  keyOf: ({ dataDirectory }) => dataDirectory,
  readConfiguration,
  activation: (instance) => ({
    service: instance.process.service ?? `PostgreSQL (${instance.dataDirectory})`,
    test: settingCommand(instance, 'ssl_cert_file'),
    reload: [instance.pgCtl, 'reload', '-D', instance.dataDirectory],
  }),
  moreFields: ({ dataDirectory }) => ({ dataDirectory }),
  encryptedKey: 'This key is encrypted (ssl_passphrase_command), and a new one would be written without a pass phrase. Decrypt the key file once (openssl pkey -in … -out …, same owner and mode), reload PostgreSQL, and try again',
})
