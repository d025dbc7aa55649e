import { field, fieldsObject } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'

const requests = ['auto', 'manager', 'jmx-proxy']

export const fields = fieldsObject({
  basePath: field.path({ label: 'CATALINA_BASE', help: 'Folder of the running instance with conf and logs; it tells apart several on one host. On Debian /var/lib/tomcat10.' }),
  port: field.port({ label: 'Port', help: 'Port of the connector; the portOffset of the server is added to what server.xml says of it.' }),
  address: field.optional(field.text({ label: 'Address', help: 'The attribute "address" of the connector. Empty where it has none.' })),
  hostName: field.text({ label: 'Host name', help: 'hostName of the SSLHostConfig: a name, *.name, or _default_.' }),
  certificateType: field.choice({
    label: 'Type', help: 'The attribute "type" of the Certificate element; UNDEFINED where it has none.',
    values: { UNDEFINED: 'Not said (UNDEFINED)', RSA: 'RSA', EC: 'EC', DSA: 'DSA', MLDSA: 'ML-DSA' }, default: 'UNDEFINED',
  }),
  keystorePassword: field.optional(field.secret({ label: 'Password of the keystore', help: 'Empty: read from server.xml, or from the file it names. Needed only where a property source gives it that the bot can not ask.' })),
  keyPassword: field.optional(field.secret({ label: 'Password of the key', help: 'Empty: read from server.xml, or the same as that of the keystore. Needed only where a property source gives it that the bot can not ask.' })),
  activation: field.optional(field.choice({
    label: 'Taking up the new certificate', help: 'How Tomcat comes to serve it. The manager application does it while connections live on; a restart ends them.',
    values: {
      'auto': 'By the manager where a user is given, else by a restart', 'manager': 'By the manager: text/sslReload, role manager-script', 'jmx-proxy': 'By the manager: jmxproxy, role manager-jmx',
      'restart': 'Restart its systemd unit; without one with catalina.sh', 'command': 'Restart it with a command',
    }, default: 'auto',
  })),
  managerUrl: field.optional(field.text({ label: 'Manager', help: 'Address of the manager application as seen from the host. Empty: /manager on 127.0.0.1, on the first connector without TLS, else on the first.', shownWhen: { field: 'activation', is: requests } })),
  managerUser: field.optional(field.text({ label: 'Manager user', help: 'A user of conf/tomcat-users.xml with the role manager-script (for jmxproxy: manager-jmx), made for this alone.', shownWhen: { field: 'activation', is: requests } })),
  managerPassword: field.optional(field.secret({ label: 'Manager password', help: 'The password of this user.', shownWhen: { field: 'activation', is: requests }, sentTo: ['managerUrl', 'managerUser', 'basePath'] })),
  restartCommand: field.optional(field.lines({ label: 'Restart command', help: 'Program and arguments, one a line, no shell: for example /etc/init.d/tomcat and restart. It has to wait until the previous process has ended. bot.toml has to allow scripts.', shownWhen: { field: 'activation', is: 'command' } })),
  restartAs: field.optional(field.choice({
    label: 'Restart as', help: 'Whose rights the restart command gets. A script that the account of Tomcat can change must not run with more rights than that account has.',
    values: { server: 'The account that Tomcat runs under', bot: 'The account of the bot' }, default: 'server', shownWhen: { field: 'activation', is: 'command' },
  })),
  sudo: field.optional(field.switch({ label: 'Restart through sudo', help: 'Calls systemctl through "sudo -n". Needed where the bot is not root.', default: false, shownWhen: { field: 'activation', is: ['auto', 'restart'] } })),
  proofSeconds: field.optional(field.seconds({ label: 'Time for the proof', help: 'How long the new certificate may take to be served everywhere. A restarted Tomcat answers only after its applications have started.', min: 1, max: 600, defaultSeconds: 120 })),
})

export const manifest = {
  id: 'tomcat',
  title: 'Apache Tomcat',
  category: 'java',
  summary: 'Replaces the keystore entry or the PEM files that a connector of Tomcat serves from, lets the manager reload them or restarts Tomcat, and proves by handshakes what is served.',
  fields,
  identity: ['basePath', 'port', 'address', 'hostName', 'certificateType'],
  capabilities: ['detect', 'chain', 'overwrite', 'reload', 'restart'],
} as const satisfies ServerTypeManifest<typeof fields>
