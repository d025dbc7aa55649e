import { fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { checkFileFields, fileFields } from '../shared/files/fields.ts'

export const fields = fieldsObject(fileFields)

export const manifest = {
  id: 'ftp',
  title: 'FTP(S) upload',
  category: 'file',
  summary: 'Uploads certificate, chain and key over FTP with TLS as PEM, DER, PKCS#7, PKCS#12 or JKS, reads them back, and proves what is served where a port is named.',
  fields,
  identity: ['certificatePath', 'alias'],
  check: checkFileFields,
  capabilities: ['chain', 'overwrite', 'client-certificates'],
  reaches: ['ftp'],
} as const satisfies ServerTypeManifest<typeof fields>
