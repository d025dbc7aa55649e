import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file of TLSRSACertificateFile or TLSECCertificateFile. The chain goes into the file of TLSCertificateChainFile: without that directive ProFTPD sends none.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file of TLSRSACertificateKeyFile or TLSECCertificateKeyFile; the certificate file again where one file holds both.' }),
  configurationPath: field.path({ label: 'Configuration file', help: 'The main configuration file of the running ProFTPD, e.g. /etc/proftpd/proftpd.conf. Its PidFile has to name that process.' }),
  binaryPath: field.optional(field.path({ label: 'ProFTPD program', help: 'Only needed where the bot is not root and the program lies in an unusual place.' })),
  sudo: field.optional(field.switch({ label: 'Call proftpd through sudo', help: 'For a bot that is not root: the test runs as "sudo -n proftpd -t …". Needs a line in sudoers.', default: false })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'proftpd',
  title: 'ProFTPD',
  category: 'file',
  summary: 'ProFTPD with mod_tls: replaces the PEM files that its servers name, tests the configuration and proves over AUTH TLS or implicit TLS. No restart: each new session reads them.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite'],
} as const satisfies ServerTypeManifest<typeof fields>
