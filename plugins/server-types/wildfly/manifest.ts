import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'

export const fields = fieldsObject({
  basePath: field.path({ label: 'Server base', help: 'Folder with configuration and data of the running server (jboss.server.base.dir), such as /opt/wildfly/standalone; it tells apart several on one host.' }),
  keystorePath: field.path({ label: 'Keystore', help: 'The file that the key store of Elytron or the security realm names, as an absolute path: PKCS#12, JKS or JCEKS.' }),
  alias: field.text({ label: 'Alias', help: 'The entry with the key and certificate to be replaced. The others stay as they are.' }),
  keystorePassword: field.optional(field.secret({ label: 'Password of the keystore', help: 'Empty: read from the configuration. Needed where it lies in a credential store or is encrypted there.' })),
  keyPassword: field.optional(field.secret({ label: 'Password of the key', help: 'Empty: read from the configuration, or the same as that of the keystore.' })),
  activation: field.optional(field.choice({
    label: 'Taking up the new certificate', help: 'Elytron reads the key store again while connections go on. For security realms of EAP 7 and WildFly up to 24 the same two ways reload the server, which ends its connections.',
    values: { http: 'Through its HTTP management interface, with user and password', cli: 'With jboss-cli, which logs in by a file of the server', service: 'Restart its systemd unit', command: 'Restart it with a command' }, default: 'cli',
  })),
  managementUser: field.optional(field.text({ label: 'Management user', help: 'Made with bin/add-user.sh. With role-based access it needs the role Administrator.', shownWhen: { field: 'activation', is: 'http' } })),
  managementPassword: field.optional(field.secret({ label: 'Password of the management user', help: 'Sent as a digest, never in the clear.', shownWhen: { field: 'activation', is: 'http' }, sentTo: ['basePath', 'managementUser'] })),
  restartCommand: field.optional(field.lines({ label: 'Restart command', help: 'Program and arguments, one a line, no shell: for example /etc/init.d/wildfly and restart. bot.toml has to allow scripts.', shownWhen: { field: 'activation', is: 'command' } })),
  restartAs: field.optional(field.choice({
    label: 'Restart as', help: 'Whose rights the restart command gets. A script that the account of the server can change must not run with more rights than that account has.',
    values: { server: 'The account that the server runs under', bot: 'The account of the bot' }, default: 'server', shownWhen: { field: 'activation', is: 'command' },
  })),
  sudo: field.optional(field.switch({ label: 'Restart through sudo', help: 'Calls systemctl through "sudo -n". Needed where the bot is not root.', default: false, shownWhen: { field: 'activation', is: 'service' } })),
  proofSeconds: field.optional(field.seconds({ label: 'Time for the proof', help: 'How long the new certificate may take to be served everywhere. After a restart the server may answer only when its applications have started: give it that time.', min: 1, max: 600, defaultSeconds: 60 })),
})

export const manifest: ServerTypeManifest<typeof fields> = {
  id: 'wildfly',
  title: 'WildFly and JBoss EAP',
  category: 'java',
  summary: 'Replaces one entry of a keystore of Elytron or a security realm, has the server read it again through its management, and proves by handshakes what is served.',
  fields,
  identity: ['basePath', 'keystorePath', 'alias'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload', 'restart'],
}
