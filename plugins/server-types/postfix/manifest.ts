import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file of smtpd_tls_chain_files, smtpd_tls_cert_file or smtpd_tls_eccert_file that holds the certificate and its chain.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file that holds the private key; the certificate file again where one file holds both.' }),
  configurationPath: field.path({ label: 'main.cf', help: 'The main.cf of the running instance, e.g. /etc/postfix/main.cf. Found by the scan.' }),
  sudo: field.optional(field.switch({ label: 'Call postfix through sudo', help: 'For a bot that is not root: test and reload run as "sudo -n postfix …". Needs a line in sudoers.', default: false })),
  proofSeconds: proofSeconds(20),
})

export const manifest = {
  id: 'postfix',
  title: 'Postfix',
  category: 'mail',
  summary: 'Postfix SMTP server: replaces the PEM files that main.cf and master.cf name, reloads and proves over STARTTLS and TLS.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
