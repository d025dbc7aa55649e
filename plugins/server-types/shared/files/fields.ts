import { field } from '@certloop/contract'
import type { Static, TObject } from 'typebox'

const keystores = ['pkcs12', 'jks'] as const

/** What every type has that puts files somewhere: which, in which form, and how what uses them is proven. */
export const fileFields = {
  format: field.optional(field.choice({
    label: 'Format', help: 'The form that the program reading the files expects.', default: 'pem',
    values: { pem: 'PEM: certificate, key and chain in files of their own', bundle: 'PEM: everything in one file', der: 'DER: one certificate, key as PKCS#8', pkcs7: 'PKCS#7: certificate and chain, no key', pkcs12: 'PKCS#12 (.p12, .pfx)', jks: 'Java keystore (JKS)' },
  })),
  certificatePath: field.path({ label: 'File', help: 'Where the certificate goes: the certificate file, the bundle or the keystore.' }),
  certificateContent: field.optional(field.choice({ label: 'Certificate file holds', help: 'Most servers want the chain behind the certificate.', values: { 'full-chain': 'The certificate and its chain', 'certificate': 'The certificate alone' }, default: 'full-chain', shownWhen: { field: 'format', is: 'pem' } })),
  order: field.optional(field.choice({
    label: 'Order in the bundle', help: 'HAProxy and lighttpd take the certificate first; MongoDB and Postfix the key.', default: 'full-chain-and-key', shownWhen: { field: 'format', is: 'bundle' },
    values: { 'full-chain-and-key': 'Certificate, chain, key', 'certificate-key-and-chain': 'Certificate, key, chain', 'key-and-full-chain': 'Key, certificate, chain', 'certificate-and-key': 'Certificate, key', 'key-and-certificate': 'Key, certificate', 'full-chain': 'Certificate, chain; no key' },
  })),
  encoding: field.optional(field.choice({ label: 'PKCS#7 as', help: 'Windows reads both.', values: { 'pkcs7-pem': 'PEM text', 'pkcs7-der': 'DER' }, default: 'pkcs7-pem', shownWhen: { field: 'format', is: 'pkcs7' } })),
  keyPath: field.optional(field.path({ label: 'Key file', help: 'Where the private key goes. Empty: the key is not written.', shownWhen: { field: 'format', is: ['pem', 'der', 'pkcs7'] } })),
  chainPath: field.optional(field.path({ label: 'Chain file', help: 'A file of its own for the intermediate certificates, PEM. Empty: none.', shownWhen: { field: 'format', is: ['pem', 'der'] } })),
  alias: field.optional(field.text({ label: 'Alias', help: 'The entry in the keystore; other entries stay as they are. Empty: the only key entry there is, in a new file "server".', shownWhen: { field: 'format', is: keystores } })),
  keystorePassword: field.optional(field.secret({ label: 'Keystore password', help: 'Opens the keystore; a new one is made with it.', shownWhen: { field: 'format', is: keystores } })),
  keyPassword: field.optional(field.secret({ label: 'Key password', help: 'Only where the key has another password than the keystore.', shownWhen: { field: 'format', is: 'jks' } })),
  protection: field.optional(field.choice({ label: 'Encryption', help: 'For a new file; one that is there keeps its own. 3DES is for Windows before 2019 and Java before 8u301.', values: { modern: 'AES-256 with SHA-256', legacy: '3DES with SHA-1' }, default: 'modern', shownWhen: { field: 'format', is: 'pkcs12' } })),
  proofPort: field.optional(field.port({ label: 'Port for the proof', help: 'Where the server that uses the files listens. Empty: nothing is proven, and only the files are compared.' })),
  proofAddress: field.optional(field.text({ label: 'Address for the proof', help: 'An IP address, seen from the host. Empty: 127.0.0.1.' })),
  proofName: field.optional(field.text({ label: 'Server name for the proof', help: 'The name to ask for (SNI). Empty: none.' })),
  proofProtocol: field.optional(field.choice({
    label: 'Protocol of the proof', help: 'What is spoken before TLS begins.', default: 'tls',
    values: { tls: 'TLS at once', smtp: 'SMTP with STARTTLS', lmtp: 'LMTP with STARTTLS', imap: 'IMAP with STARTTLS', pop3: 'POP3 with STLS', sieve: 'ManageSieve with STARTTLS', ftp: 'FTP with AUTH TLS', postgres: 'PostgreSQL', mysql: 'MySQL' },
  })),
  proofSeconds: field.optional(field.seconds({ label: 'Time for the proof', help: 'How long the server may take until it serves the new certificate.', min: 1, max: 600, defaultSeconds: 30 })),
} as const

export type FileFields = Static<TObject<typeof fileFields>>

const paths = ['certificatePath', 'keyPath', 'chainPath'] as const

/** What has to fit together. */
export function checkFileFields(fields: FileFields): { field: string; problem: string }[] {
  const problems: { field: string; problem: string }[] = []
  const seen = new Set<string>()
  for (const name of paths) {
    const path = fields[name]
    if (path !== undefined && seen.has(path)) problems.push({ field: name, problem: 'is the same file as another one; choose the format "everything in one file" for that' })
    if (path !== undefined) seen.add(path)
  }
  if (fields.format === 'der' && fields.certificateContent === 'full-chain') problems.push({ field: 'certificateContent', problem: 'DER holds one certificate; give the chain a file of its own' })
  if (fields.proofPort === undefined && (fields.proofName ?? fields.proofAddress) !== undefined) problems.push({ field: 'proofPort', problem: 'is missing: without it nothing is proven' })
  return problems
}
