import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file that ssl_cert_file names: the certificate, then its chain. A relative name in the configuration begins in the data directory; here it is absolute.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file that ssl_key_file names. It belongs to the account of the server (mode 0600) or to root (mode 0640 at most).' }),
  configurationPath: field.path({ label: 'postgresql.conf', help: 'The configuration file of the running server, e.g. /etc/postgresql/15/main/postgresql.conf. Found by the scan.' }),
  dataDirectory: field.path({ label: 'Data directory', help: 'Tells clusters of one host apart, e.g. /var/lib/postgresql/15/main. Found by the scan.' }),
  binaryPath: field.optional(field.path({ label: 'postgres program', help: 'Empty: the program of the running server. No other one is run.' })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'postgresql',
  title: 'PostgreSQL',
  category: 'database',
  summary: 'PostgreSQL 10 and later: replaces the PEM files of ssl_cert_file and ssl_key_file, reloads without a restart and proves over the PostgreSQL protocol.',
  fields,
  identity: ['dataDirectory', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
