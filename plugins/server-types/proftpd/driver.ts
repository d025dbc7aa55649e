import type { Static } from 'typebox'
import { type PemConfiguration, pemServerDriver } from '../shared/pem-files/driver.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { readConfiguration } from './configuration.ts'
import { findMasters, type Instance, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = pemServerDriver<Fields, Instance, PemConfiguration>({
  manifest,
  title: 'ProFTPD',
  findProcesses: findMasters,
  readInstance,
  readConfiguration,
  // Each session reads the files when it begins (tried with 1.3.8). A SIGHUP would add nothing but danger: ProFTPD ends
  // when it then finds a fault in its configuration.
  activation: ({ sudo, program, configurationPath }) => ({
    service: `ProFTPD (${configurationPath})`, test: throughSudo(sudo, [program, '-t', '-c', configurationPath]), reload: null,
  }),
})
