import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { proofSeconds } from '../shared/pem-files/fields.ts'

export const fields = fieldsObject({
  certificatePath: field.path({ label: 'Certificate file', help: 'The file of ssl_cert; it takes the certificate and its chain. ssl_ca stays as it is: it says whose clients are trusted.' }),
  keyPath: field.path({ label: 'Key file', help: 'The file of ssl_key. The account of the server has to be able to read it.' }),
  dataFolder: field.path({ label: 'Data folder', help: 'The data folder (datadir) of the running server, e.g. /var/lib/mysql: it tells several servers of one host apart. Found by the scan.' }),
  activation: field.optional(field.choice({ label: 'Take up new files by', help: 'The command needs MariaDB 10.4 or MySQL 8.0.16, and keeps all connections. A restart through systemd ends them.', values: { command: 'FLUSH SSL or ALTER INSTANCE RELOAD TLS', restart: 'Restart of the systemd unit' }, default: 'command' })),
  databaseUser: field.optional(field.text({ label: 'Database account', help: 'The account for the command, signed in over the Unix socket by the account of the operating system with the same name (unix_socket, auth_socket): root, or the one the server runs under. Not used where an option file is named.', default: 'root' })),
  optionFile: field.optional(field.path({ label: 'Option file of the client', help: 'A file that is on the host already and holds user and password for the command in its group [client], e.g. /etc/mysql/debian.cnf. It has to belong to root, and nobody else may change it. A password is not asked for here, because it would have to be handed to the client on its command line or in its environment.' })),
  binaryPath: field.optional(field.path({ label: 'Server program', help: 'Only needed where the bot is not root and the program lies in an unusual place.' })),
  clientPath: field.optional(field.path({ label: 'Client program', help: 'The mariadb or mysql program, where it is neither beside the server nor in /usr/bin.' })),
  socketPath: field.optional(field.path({ label: 'Unix socket', help: 'Only needed where no option file names the socket and it is in an unusual place.' })),
  sudo: field.optional(field.switch({ label: 'Call client and systemctl through sudo', help: 'For a bot that is not root. Needs lines in sudoers.', default: false })),
  proofSeconds: proofSeconds(10),
})

export const manifest = {
  id: 'mysql',
  title: 'MySQL / MariaDB',
  category: 'database',
  summary: 'MySQL and MariaDB servers: replaces the files of ssl_cert and ssl_key, has the running server take them up without ending connections, and proves by the handshake of its protocol.',
  fields,
  identity: ['dataFolder', 'certificatePath', 'keyPath'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload', 'restart'],
} as const satisfies ServerTypeManifest<typeof fields>
