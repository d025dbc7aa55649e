import { registry, serverType } from '@certloop/plugin-kit'
import { manifest as apache } from './apache/manifest.ts'
import { manifest as dovecot } from './dovecot/manifest.ts'
import { manifest as files } from './files/manifest.ts'
import { manifest as ftp } from './ftp/manifest.ts'
import { manifest as haproxy } from './haproxy/manifest.ts'
import { manifest as jetty } from './jetty/manifest.ts'
import { manifest as mysql } from './mysql/manifest.ts'
import { manifest as nginx } from './nginx/manifest.ts'
import { manifest as postfix } from './postfix/manifest.ts'
import { manifest as postgresql } from './postgresql/manifest.ts'
import { manifest as sftp } from './sftp/manifest.ts'
import { manifest as proftpd } from './proftpd/manifest.ts'
import { manifest as tomcat } from './tomcat/manifest.ts'
import { manifest as vsftpd } from './vsftpd/manifest.ts'
import { manifest as weblogic } from './weblogic/manifest.ts'
import { manifest as wildfly } from './wildfly/manifest.ts'

/** Every kind of target. One line each; the order is the order in forms. */
export const serverTypes = registry('server type', [
  serverType(nginx, () => import('./nginx/driver.ts').then((m) => m.driver)),
  serverType(postfix, () => import('./postfix/driver.ts').then((m) => m.driver)),
  serverType(dovecot, () => import('./dovecot/driver.ts').then((m) => m.driver)),
  serverType(apache, () => import('./apache/driver.ts').then((m) => m.driver)),
  serverType(postgresql, () => import('./postgresql/driver.ts').then((m) => m.driver)),
  serverType(files, () => import('./files/driver.ts').then((m) => m.driver)),
  serverType(sftp, () => import('./sftp/driver.ts').then((m) => m.driver)),
  serverType(ftp, () => import('./ftp/driver.ts').then((m) => m.driver)),
  serverType(tomcat, () => import('./tomcat/driver.ts').then((m) => m.driver)),
  serverType(jetty, () => import('./jetty/driver.ts').then((m) => m.driver)),
  serverType(mysql, () => import('./mysql/driver.ts').then((m) => m.driver)),
  serverType(proftpd, () => import('./proftpd/driver.ts').then((m) => m.driver)),
  serverType(vsftpd, () => import('./vsftpd/driver.ts').then((m) => m.driver)),
  serverType(haproxy, () => import('./haproxy/driver.ts').then((m) => m.driver)),
  serverType(weblogic, () => import('./weblogic/driver.ts').then((m) => m.driver)),
  serverType(wildfly, () => import('./wildfly/driver.ts').then((m) => m.driver)),
])
