import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file that SSLCertificateFile names.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file that SSLCertificateKeyFile names; the certificate file where it holds the key as well.' }),
  configurationPath: field.path({ label: 'Main configuration file', help: 'apache2.conf or httpd.conf of the running process. Found by the scan.' }),
  serverRoot: field.optional(field.path({ label: 'Server root', help: 'Only where the process was started with -d.' })),
  defines: field.optional(field.text({ label: 'Defines', help: 'Only where the process was started with -D: the names, with blanks between.' })),
  binaryPath: field.optional(field.path({ label: 'Apache program', help: 'Empty: the program of the running process. No other one is run.' })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'apache',
  title: 'Apache HTTP Server',
  category: 'web',
  summary: 'Apache httpd 2.4: replaces the PEM files that virtual hosts name, tests, reloads gracefully and proves.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
