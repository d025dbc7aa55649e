import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file that ssl_cert or ssl_alt_cert names behind "<": leaf first, then intermediates.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file that ssl_key or ssl_alt_key names behind "<".' }),
  configurationPath: field.path({ label: 'Main configuration file', help: 'The dovecot.conf the running master process uses (-c). Found by the scan.' }),
  binaryPath: field.optional(field.path({ label: 'dovecot program', help: 'Empty: the program of the running master process. No other one is run; it is only needed where the bot can not see that program.' })),
  sudo: field.optional(field.switch({ label: 'Call dovecot through sudo', help: 'For a bot that is not root: doveconf and the reload run through "sudo -n". Needs a line in sudoers.', default: false })),
  proofSeconds: proofSeconds(20),
})

export const manifest = {
  id: 'dovecot',
  title: 'Dovecot',
  category: 'mail',
  summary: 'Dovecot 2.3 for IMAP, POP3, ManageSieve, submission and LMTP: replaces the PEM files that ssl_cert and ssl_key name, tests, reloads and proves.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
