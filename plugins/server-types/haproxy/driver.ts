import { CertloopError } from '@certloop/contract'
import path from 'node:path'
import type { Static } from 'typebox'
import { pemServerDriver } from '../shared/pem-files/driver.ts'
import type { ConfiguredPair } from '../shared/pem-files/pairs.ts'
import { activation } from './activation.ts'
import { describeLeaf } from './certificates.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { findMasters, furtherConfiguration, type Instance, keyOf, readInstance } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { pairsOf } from './uses.ts'

type Fields = Static<typeof fieldSchema>

const isSame = (a: ConfiguredPair, b: ConfiguredPair) => a.certificatePath === b.certificatePath && a.keyPath === b.keyPath

/** A certificate for more names must not come before the one that has them. @throws CertloopError PLAN_FAILED */
function checkOthers(others: readonly ConfiguredPair[], after: readonly ConfiguredPair[], path: string): void {
  const spots = (pair: ConfiguredPair | undefined) => pair?.endpoints.flatMap(({ address, port, serverName }) => (serverName === null ? [] : [`${address}:${port} ${serverName}`])) ?? []
  for (const other of others) {
    const kept = new Set(spots(after.find((one) => isSame(one, other))))
    const lost = spots(other).find((spot) => !kept.has(spot))
    if (lost !== undefined) throw new CertloopError('PLAN_FAILED', `With the names and the kind of key of the new certificate, ${path} would answer on ${lost} instead of ${other.certificatePath}. Take the name out of one of them.`, { path })
  }
}

export const driver = pemServerDriver<Fields, Instance, Configuration>({
  manifest,
  title: 'HAProxy',
  findProcesses: findMasters,
  readInstance,
  isNamed: (instance, fields) => instance.configurationPath === path.posix.normalize(fields.configurationPath)
    && (fields.furtherConfiguration === undefined || fields.furtherConfiguration.trim().split(/\s+/).join(' ') === furtherConfiguration(instance)),
  keyOf,
  readConfiguration,
  activation,
  // Without filters, the names in the certificate decide what it answers for: those of the new one count.
  pairWith: ({ binds, taken, contents, pairs: present }, pair, { chainPem }) => {
    const fresh = describeLeaf(chainPem[0] ?? '')
    const own = new Set([pair, ...pair.aliases].map(({ certificatePath }) => certificatePath))
    const pairs = pairsOf(binds, taken, (file) => (own.has(file) ? fresh : contents.get(file) ?? { names: [], keyType: null }))
    checkOthers(present.filter(({ certificatePath }) => !own.has(certificatePath)), pairs, pair.certificatePath)
    return pairs.find((one) => isSame(one, pair)) ?? pair
  },
  moreFields: (instance) => (furtherConfiguration(instance) === '' ? {} : { furtherConfiguration: furtherConfiguration(instance) }),
  encryptedKey: 'This key is encrypted, and a new one would be written without a pass phrase. HAProxy asks for it at each start. Decrypt the key once (openssl pkey -in … -out …), and try again',
  // A worker that leaves may take one more connection.
  steadyMilliseconds: 250,
})
