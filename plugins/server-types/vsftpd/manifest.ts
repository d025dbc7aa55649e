import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file of rsa_cert_file or dsa_cert_file; it takes the certificate and its chain.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file of rsa_private_key_file or dsa_private_key_file; the certificate file again where one file holds both.' }),
  configurationPath: field.path({ label: 'Configuration file', help: 'The file that the running vsftpd was started with, e.g. /etc/vsftpd.conf. Found by the scan.' }),
  restartCommand: field.optional(field.lines({ label: 'Restart command', help: 'Program and arguments, one per line, that restart this vsftpd; sessions under way end. It has to start it where it is down, too. Leave it empty where systemd runs it: then "systemctl restart" of its unit is called. Scripts have to be allowed in bot.toml.' })),
  sudo: field.optional(field.switch({ label: 'Restart through sudo', help: 'For a bot that is not root: the restart runs as "sudo -n …". Needs a line in sudoers.', default: false })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'vsftpd',
  title: 'vsftpd',
  category: 'file',
  summary: 'vsftpd as a server with TLS: replaces the PEM files that its configuration names, restarts the listener and proves over AUTH TLS or implicit TLS.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'restart'],
} as const satisfies ServerTypeManifest<typeof fields>
