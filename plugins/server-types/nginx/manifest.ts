import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file that ssl_certificate names: leaf first, then intermediates.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file that ssl_certificate_key names.' }),
  configurationPath: field.path({ label: 'Main configuration file', help: 'The nginx.conf the running master process uses (-c). Found by the scan.' }),
  binaryPath: field.optional(field.path({ label: 'nginx program', help: 'Empty: the program of the running master process. No other one is run; it is only needed where the bot can not see that program.' })),
  prefix: field.optional(field.path({ label: 'Prefix', help: 'Only where the master was started with -p.' })),
  sudo: field.optional(field.switch({ label: 'Call nginx through sudo', help: 'For a bot that is not root: test and reload run as "sudo -n nginx …". Needs a line in sudoers.', default: false })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'nginx',
  title: 'nginx',
  category: 'web',
  summary: 'nginx, OpenResty, Angie and Tengine: replaces the PEM files a server block names, tests, reloads and proves.',
  fields,
  identity: ['configurationPath', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload'],
} as const satisfies ServerTypeManifest<typeof fields>
