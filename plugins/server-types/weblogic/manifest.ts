import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'

export const fields = fieldsObject({
  domainPath: field.path({ label: 'Domain', help: 'Folder of the domain with config/config.xml (DOMAIN_HOME), such as /u01/oracle/user_projects/domains/shop.' }),
  serverName: field.text({ label: 'Server', help: 'Name of the running server on this host, such as AdminServer. Other servers of the domain on this host that use the same entry change with it.' }),
  keystorePath: field.path({ label: 'Identity keystore', help: 'The custom identity keystore of the server or of one of its network channels, as an absolute path: JKS or PKCS#12.' }),
  alias: field.text({ label: 'Alias', help: 'The private key alias in the configuration of the server or channel. The other entries of the keystore stay as they are.' }),
  keystorePassword: field.optional(field.secret({ label: 'Passphrase of the keystore', help: 'The custom identity keystore passphrase. config.xml has it encrypted, so that it has to be given here.' })),
  keyPassword: field.optional(field.secret({ label: 'Passphrase of the private key', help: 'The private key passphrase of the server or channel. Empty: the same as that of the keystore.' })),
  activation: field.optional(field.choice({
    label: 'Taking up the new certificate', help: 'REST restarts the SSL channels alone: the server and its applications run on. The other ways restart the server.',
    values: { auto: 'Through REST where a management user is given, else by its systemd unit', rest: 'Restart the SSL channels through the REST management', service: 'Restart its systemd unit', command: 'Restart it with a command' }, default: 'auto',
  })),
  managementUser: field.optional(field.text({ label: 'Management user', help: 'A user of the domain with the role Admin, for REST.', shownWhen: { field: 'activation', is: ['auto', 'rest'] } })),
  managementPassword: field.optional(field.secret({ label: 'Password of the management user', help: 'Sent with basic authentication, only over TLS or within this host.', shownWhen: { field: 'activation', is: ['auto', 'rest'] }, sentTo: ['managementUrl', 'managementUser'] })),
  managementUrl: field.optional(field.text({ label: 'Administration server', help: 'Address such as https://admin.example.com:9002, which then restarts the channels of the server. Empty: each server is asked itself, on its administration port or else its plain port.', shownWhen: { field: 'activation', is: ['auto', 'rest'] } })),
  restartCommand: field.optional(field.lines({ label: 'Restart command', help: 'Program and arguments, one a line, no shell: for example /usr/local/sbin/restart-weblogic and AdminServer. It has to come back only when the old process has ended. bot.toml has to allow scripts.', shownWhen: { field: 'activation', is: 'command' } })),
  restartAs: field.optional(field.choice({
    label: 'Restart as', help: 'Whose rights the restart command gets. A script that the account of WebLogic can change must not run with more rights than that account has.',
    values: { server: 'The account that WebLogic runs under', bot: 'The account of the bot' }, default: 'server', shownWhen: { field: 'activation', is: 'command' },
  })),
  sudo: field.optional(field.switch({ label: 'Restart through sudo', help: 'Calls systemctl through "sudo -n". Needed where the bot is not root.', default: false, shownWhen: { field: 'activation', is: ['auto', 'service'] } })),
  proofSeconds: field.optional(field.seconds({ label: 'Time for the proof', help: 'How long after the restart of the channels the new certificate may take to be served everywhere. Where the server itself is restarted it gets ten minutes at least.', min: 1, max: 600, defaultSeconds: 60 })),
})

export const manifest: ServerTypeManifest<typeof fields> = {
  id: 'weblogic',
  title: 'Oracle WebLogic Server',
  category: 'java',
  summary: 'Replaces the entry of the identity keystore that a server or network channel names, restarts the SSL channels through REST or the server itself, and proves by handshakes what is served.',
  fields,
  identity: ['domainPath', 'serverName', 'keystorePath', 'alias'],
  check: ({ managementUrl }) => (managementUrl === undefined || isAddress(managementUrl) ? [] : [{ field: 'managementUrl', problem: 'is no address of the form https://admin.example.com:9002, without user, path or query' }]),
  capabilities: ['detect', 'chain', 'overwrite', 'reload', 'restart'],
}

function isAddress(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === ''
}
