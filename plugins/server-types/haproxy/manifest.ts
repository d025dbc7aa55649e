import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The PEM file behind "crt", in a crt-list or in a crt folder: certificate, chain and mostly the key. The order it has now is kept.' }),
  keyPath: field.path({ label: 'Key file', help: 'The same file again where it holds the key, or the file beside it whose name ends in .key.' }),
  configurationPath: field.path({ label: 'Configuration', help: 'The first file or folder that the running HAProxy reads (-f), e.g. /etc/haproxy/haproxy.cfg. Found by the scan.' }),
  furtherConfiguration: field.optional(field.text({ label: 'Further configuration', help: 'What else is named by -f, in order and separated by spaces. Tells instances apart that share their first file. Found by the scan.' })),
  activation: field.optional(field.choice({
    label: 'How HAProxy takes it up', help: 'The runtime API replaces a certificate in the running process: no new worker, no connection is touched. It needs a stats socket with "level admin". A reload starts a new worker, and the old one ends with its last connection. Files are written in each case.', default: 'auto',
    values: { 'auto': 'By the runtime API where it can be used, else by a reload', 'runtime-api': 'By the runtime API only', 'reload': 'By a reload only' },
  })),
  binaryPath: field.optional(field.path({ label: 'haproxy program', help: 'Empty: the program of the running master process. No other one is run; it is only needed where the bot can not see that program.' })),
  sudo: field.optional(field.switch({ label: 'Test and reload through sudo', help: 'For a bot that is not root: the test and the reload run through "sudo -n". Needs lines in sudoers.', default: false })),
  proofSeconds: proofSeconds(20),
})

export const manifest = {
  id: 'haproxy',
  title: 'HAProxy',
  category: 'load-balancer',
  summary: 'HAProxy 2.2 and later: replaces PEM files of crt, crt-list and crt folders, tests, takes them up without a reload through the runtime API or by a reload, and proves.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
