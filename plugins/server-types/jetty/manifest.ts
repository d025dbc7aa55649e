import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'

export const fields = fieldsObject({
  basePath: field.path({ label: 'Jetty base', help: 'Folder with start.ini or start.d of the running Jetty (jetty.base); it tells apart several on one host. On Debian /usr/share/jetty9.' }),
  keystorePath: field.path({ label: 'Keystore', help: 'The keystore that the configuration names, as an absolute path: PKCS#12 or JKS.' }),
  alias: field.text({ label: 'Alias', help: 'The entry with the key and certificate to be replaced. Jetty chooses among the entries by the names in their certificates; the others stay as they are.' }),
  newEntry: field.optional(field.switch({ label: 'Make a new entry', help: 'Adds an entry of this alias where the keystore has none. Off: an alias that is not there is an error.', default: false })),
  keystorePassword: field.optional(field.secret({ label: 'Password of the keystore', help: 'Empty: read from the configuration of Jetty, plain or as OBF:. Needed only where the bot can not read it there.' })),
  keyPassword: field.optional(field.secret({ label: 'Password of the key', help: 'Empty: read from the configuration of Jetty, or the same as that of the keystore.' })),
  activation: field.optional(field.choice({
    label: 'Taking up the new certificate', help: 'How Jetty comes to serve it. By itself needs the module ssl-reload and lets connections live. Every other way restarts Jetty, which ends its connections.',
    values: { auto: 'By itself where ssl-reload is on, else by its systemd unit', reload: 'By itself: the module ssl-reload watches the keystore', service: 'Restart its systemd unit', command: 'Restart it with a command' }, default: 'auto',
  })),
  restartCommand: field.optional(field.lines({ label: 'Restart command', help: 'Program and arguments, one a line, no shell: for example /opt/jetty/bin/jetty.sh and restart, or /etc/init.d/jetty9 and restart. bot.toml has to allow scripts.', shownWhen: { field: 'activation', is: 'command' } })),
  restartAs: field.optional(field.choice({
    label: 'Restart as', help: 'Whose rights the restart command gets. A script that the account of Jetty can change must not run with more rights than that account has.',
    values: { server: 'The account that Jetty runs under', bot: 'The account of the bot' }, default: 'server', shownWhen: { field: 'activation', is: 'command' },
  })),
  sudo: field.optional(field.switch({ label: 'Restart through sudo', help: 'Calls systemctl through "sudo -n". Needed where the bot is not root.', default: false, shownWhen: { field: 'activation', is: ['auto', 'service'] } })),
  proofSeconds: field.optional(field.seconds({ label: 'Time for the proof', help: 'How long the new certificate may take to be served everywhere. A restarted Jetty answers only after its applications have started.', min: 1, max: 600, defaultSeconds: 120 })),
})

export const manifest: ServerTypeManifest<typeof fields> = {
  id: 'jetty',
  title: 'Eclipse Jetty',
  category: 'java',
  summary: 'Replaces one entry of the keystore that Jetty serves from, lets the module ssl-reload take it up or restarts Jetty, and proves by handshakes what is served.',
  fields,
  identity: ['basePath', 'keystorePath', 'alias'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload', 'restart'],
}
