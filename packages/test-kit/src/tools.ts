import { accessSync, constants, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian packages that can't be installed beside others of these are unpacked here, a folder each. */
export const unpackedPackages = '/usr/local/lib/certloop-test'

/**
 * Programs and modules of the system that tests use: where else to look, the Debian package, and what is left out
 * without it. unpacked: it conflicts with another one of the table, so its files are laid down and nothing is installed.
 */
export const tools = {
  nginx: { package: 'nginx-light', elsewhere: [], without: 'tests against a real nginx' },
  apache2: { package: 'apache2', elsewhere: [], without: 'tests against a real Apache httpd' },
  'ngx_stream_module.so': { package: 'libnginx-mod-stream', elsewhere: ['/usr/lib/nginx/modules/ngx_stream_module.so'], without: 'tests of nginx as a TCP proxy' },
  'ngx_mail_module.so': { package: 'libnginx-mod-mail', elsewhere: ['/usr/lib/nginx/modules/ngx_mail_module.so'], without: 'tests of nginx as a mail proxy' },
  postfix: { package: 'postfix', elsewhere: [], without: 'tests against a real Postfix' },
  dovecot: { package: 'dovecot-core', elsewhere: [], without: 'tests against a real Dovecot' },
  'imap-login': { package: 'dovecot-imapd', elsewhere: ['/usr/lib/dovecot/imap-login'], without: 'tests of IMAP in Dovecot' },
  'pop3-login': { package: 'dovecot-pop3d', elsewhere: ['/usr/lib/dovecot/pop3-login'], without: 'tests of POP3 in Dovecot' },
  mariadbd: { package: 'mariadb-server', elsewhere: [], without: 'tests against a real MariaDB' },
  vsftpd: { package: 'vsftpd', unpacked: true, elsewhere: [`${unpackedPackages}/vsftpd/usr/sbin/vsftpd`], without: 'tests against a real vsftpd' },
  'libwrap.so.0': { package: 'libwrap0', elsewhere: ['/usr/lib/*/libwrap.so.0', '/lib/*/libwrap.so.0'], without: 'tests against a real vsftpd' },
  proftpd: { package: 'proftpd-core', elsewhere: [], without: 'tests against a real ProFTPD' },
  'mod_tls.so': { package: 'proftpd-mod-crypto', elsewhere: ['/usr/lib/proftpd/mod_tls.so'], without: 'tests of TLS in ProFTPD' },
  haproxy: { package: 'haproxy', elsewhere: [], without: 'tests against a real HAProxy' },
  postgres: { package: 'postgresql', elsewhere: ['/usr/lib/postgresql/*/bin/postgres'], without: 'database tests on PostgreSQL' },
  pg_createcluster: { package: 'postgresql-common', elsewhere: [], without: "tests of Debian's layout of PostgreSQL" },
  sshd: { package: 'openssh-server', elsewhere: [], without: 'tests over SSH' },
  'ssh-keygen': { package: 'openssh-client', elsewhere: [], without: 'tests over SSH' },
  sudo: { package: 'sudo', elsewhere: [], without: 'tests with accounts that have sudo rules' },
  busybox: { package: 'busybox', elsewhere: [], without: 'tests of hosts with the small commands of BusyBox' },
  socat: { package: 'socat', elsewhere: [], without: 'tests of connections from hosts whose SSH server forwards nothing' },
  tcsh: { package: 'tcsh', elsewhere: [], without: 'tests with a login shell that is not of the Bourne family' },
  chromium: { package: 'chromium', elsewhere: ['/usr/bin/google-chrome'], without: 'tests of the pages in a browser' },
  chattr: { package: 'e2fsprogs', elsewhere: [], without: 'tests with immutable files' },
  openssl: { package: 'openssl', elsewhere: [], without: 'tests that compare with OpenSSL' },
  certtool: { package: 'gnutls-bin', elsewhere: [], without: 'tests that compare with GnuTLS' },
  mvn: { package: 'maven', elsewhere: [], without: 'tests against servers that are published on Maven Central' },
  catalina: { package: 'tomcat10', elsewhere: ['/usr/share/tomcat10/bin/catalina.sh'], without: 'tests against a real Tomcat 10' },
  'tomcat-manager': { package: 'tomcat10-admin', elsewhere: ['/usr/share/tomcat10-admin/manager/index.jsp'], without: 'tests with the manager of Tomcat 10' },
  java: { package: 'default-jdk-headless', elsewhere: ['/usr/lib/jvm/*/bin/java'], without: 'tests against real Java servers' },
  'jetty.sh': { package: 'jetty9', elsewhere: ['/usr/share/jetty9/bin/jetty.sh'], without: 'tests against a real Jetty 9' },
  keytool: { package: 'default-jdk-headless', elsewhere: ['/usr/lib/jvm/*/bin/keytool'], without: 'tests that compare with Java keystores' },
  certutil: { package: 'libnss3-tools', elsewhere: [], without: 'tests that compare with NSS' },
  'softhsm2-util': { package: 'softhsm2', elsewhere: [], without: 'tests with keys in a PKCS#11 token' },
  'libsofthsm2.so': { package: 'libsofthsm2', elsewhere: ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/*/softhsm/libsofthsm2.so'], without: 'tests with keys in a PKCS#11 token' },
  'pkcs11-tool': { package: 'opensc', elsewhere: [], without: 'tests that compare PKCS#11 objects' },
  pebble: { package: 'pebble', elsewhere: [], without: 'tests against a real ACME directory' },
  'pebble-challtestsrv': { package: 'pebble', elsewhere: [], without: 'tests of validation by an ACME directory' },
  caddy: { package: 'caddy', elsewhere: [], without: "tests against Caddy's ACME server" },
  named: { package: 'bind9', elsewhere: ['/usr/sbin/named'], without: 'tests against a real BIND' },
  pdns_server: { package: 'pdns-server', elsewhere: ['/usr/sbin/pdns_server'], without: 'tests against a real PowerDNS' },
  'libgsqlite3backend.so': { package: 'pdns-backend-sqlite3', elsewhere: ['/usr/lib/*/pdns/libgsqlite3backend.so'], without: 'tests against a real PowerDNS' },
  taskset: { package: 'util-linux', elsewhere: [], without: 'benchmarks with a core of their own' },
  wrk: { package: 'wrk', elsewhere: [], without: 'benchmarks of OCSP under the load of a known tool (a slower one of our own makes it then)' },
  setpriv: { package: 'util-linux', elsewhere: [], without: 'tests that drop privileges' },
} as const satisfies Record<string, { package: string; unpacked?: true; elsewhere: readonly string[]; without: string }>
export type Tool = keyof typeof tools

function isUsable(path: string): boolean {
  try {
    accessSync(path, /\.(so(\.\d+)*|jsp)$/.test(path) ? constants.R_OK : constants.X_OK)
    return true
  } catch {
    return false // not there or not ours to run: the next place is tried
  }
}

/** Absolute path of a program, or undefined when it is not installed. Looks in PATH, the sbin folders and where its package hides it. */
export function findTool(tool: Tool): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/sbin', '/sbin', '/usr/bin', '/usr/local/bin', '/usr/local/sbin']
  const hidden = tools[tool].elsewhere.flatMap((pattern) => globSync(pattern).toSorted().reverse())
  return [...folders.map((folder) => join(folder, tool)), ...hidden].find(isUsable)
}

/** @throws Error that names the package when the program is not installed */
export function requireTool(tool: Tool): string {
  const path = findTool(tool)
  if (path) return path
  throw new Error(`${tool} is not installed (Debian package ${tools[tool].package})`)
}

/**
 * For `test(name, { skip: leftOut('nginx') }, …)`: false when the program is there, else the reason.
 * In CI always false, so that the test fails on the missing program rather than pass unseen.
 */
export function leftOut(tool: Tool): string | false {
  if (process.env['CI'] || findTool(tool)) return false
  return `${tool} is not installed (Debian package ${tools[tool].package})`
}
