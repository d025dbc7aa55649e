import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { checkFileFields, fileFields } from '../shared/files/fields.ts'

const mode = '^0?[0-7]{3}$'
const octal = (label: string, help: string) => field.optional({ ...field.text({ label, help }), pattern: mode })

export const fields = fieldsObject({
  ...fileFields,
  certificatePath: field.path({ label: 'File', help: 'Where the certificate goes: the certificate file, the bundle or the keystore. A UNC path (\\\\server\\share\\…) works where the host has mounted the share.' }),
  owner: field.optional(field.text({ label: 'Owner', help: 'User name or number. Empty: that of the present file, for a new one that of the folder.' })),
  group: field.optional(field.text({ label: 'Group', help: 'Group name or number. Empty: as for the owner.' })),
  mode: octal('Mode', 'Octal, of the files without a key, e.g. 0644. Empty: that of the present file, for a new one 0644.'),
  keyMode: octal('Mode of files with the key', 'Octal, e.g. 0640. Empty: that of the present file, for a new one 0600.'),
  securityContext: field.optional({ ...field.text({ label: 'SELinux context', help: 'e.g. system_u:object_r:cert_t:s0. Empty: that of the present file. Without SELinux it means nothing.' }), pattern: '^[A-Za-z0-9_.:,-]+$' }),
  command: field.optional(field.lines({ label: 'Command afterwards', help: 'The program with its absolute path, then one argument to a line; no shell takes part. It makes what reads the files take them up, and runs again when they are put back. bot.toml has to allow scripts.' })),
  commandSeconds: field.optional(field.seconds({ label: 'Time for the command', help: 'It is stopped after this time, with all it started, and the deployment is undone.', min: 1, max: 3600, defaultSeconds: 60 })),
})

export const manifest = {
  id: 'files',
  title: 'Files and command',
  category: 'file',
  summary: 'Puts certificate, chain and key into files as PEM, DER, PKCS#7, PKCS#12 or JKS, then runs a command, and proves what is served where a port is named.',
  fields,
  identity: ['certificatePath', 'alias'],
  check: checkFileFields,
  capabilities: ['chain', 'overwrite', 'client-certificates'],
} as const satisfies ServerTypeManifest<typeof fields>
