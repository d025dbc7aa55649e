import { CertloopError, type Step } from '@certloop/contract'
import { type DriverContext, keystoreStep, type PlanMaterial, readKeystoreFile, type ServerTypeDriver } from '@certloop/plugin-kit'

/** A server type for tests: a keystore, whose password stands in a configuration file, and ways to tell the server. */
export interface KeystoreFields extends Record<string, unknown> {
  keystore: string
  alias: string
  /** Holds "password=…". */
  configuration: string
  ports: [number, number]
  /** Which way the server is told. */
  tell: { socket: string; expect?: string } | { admin: true }
  tellSeconds?: number
  /** A secret field. */
  adminPassword?: string
  proofSeconds: number
}

async function plan({ host, probe }: DriverContext, fields: KeystoreFields, material: PlanMaterial) {
  const text = Buffer.from(await host.readFile(fields.configuration) ?? '').toString()
  const password = /^password=(.*)$/m.exec(text)?.[1]
  if (password === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${fields.configuration} names no password.`)
  const content = await host.readFile(fields.keystore)
  const present = content && await readKeystoreFile(content, password, { path: fields.keystore })
  const entry = keystoreStep({ path: fields.keystore, format: 'pkcs12', alias: fields.alias, password: 'keystorePassword', ownership: null }, material, present)
  const endpoint = { address: '127.0.0.1', port: fields.ports[0], serverName: 'shop.test', keyType: null }
  const timeoutSeconds = fields.tellSeconds ?? 10
  const steps: Step[] = [
    ...(entry === undefined ? [] : [entry]),
    'admin' in fields.tell
      ? { kind: 'http-request', purpose: 'activate', title: 'Reload the keystore', method: 'POST', url: `http://127.0.0.1:${fields.ports[1]}/reload`, authorization: { scheme: 'basic', user: 'admin', password: 'adminPassword' }, expect: { status: [200], body: 'done' }, timeoutSeconds }
      : { kind: 'socket-command', title: 'Reload the keystore', socket: { path: fields.tell.socket }, commands: [{ send: 'load\n', file: fields.keystore, expect: '^\\d+ bytes taken' }, { send: 'reload\n', expect: fields.tell.expect ?? '^done' }], timeoutSeconds },
    { kind: 'prove', expect: material.fingerprint, endpoints: [{ endpoint, before: (await probe(endpoint)).fingerprint }], timeoutSeconds: fields.proofSeconds },
  ]
  const { adminPassword } = fields
  return { observed: [], observedTexts: { [fields.configuration]: text }, steps, secrets: { keystorePassword: password, ...(adminPassword === undefined ? {} : { adminPassword }) } }
}

export const keystoreDriver: ServerTypeDriver = {
  detect: async () => [],
  inspect: () => Promise.reject(new Error('not in this test')),
  plan: (context, fields, material) => plan(context, fields as KeystoreFields, material),
}
