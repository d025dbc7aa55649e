import { leftOut, startPostgresqlServer } from '@certloop/test-kit'
import { chown, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { conformance, watching } from '../kit/conformance.ts'
import { ownPair, pairOf } from './postgresql-kit.ts'

conformance('postgresql', {
  skip: process.getuid?.() === 0 ? leftOut('postgres') : 'these servers are started by root',
  async makeSubject(t) {
    const [one, next, other] = await Promise.all([pairOf(), pairOf(), pairOf()])
    const server = await startPostgresqlServer(t, {
      // Apart from log and socket, which change by themselves.
      async settings(folder) {
        const { uid, gid } = await stat(folder)
        await mkdir(join(folder, 'tls'))
        await chown(join(folder, 'tls'), uid, gid)
        await ownPair(join(folder, 'tls'), 'own', one)
        await ownPair(join(folder, 'tls'), 'other', other)
        return "ssl = on\nssl_cert_file = '../tls/own.crt'\nssl_key_file = '../tls/own.key'\n"
      },
    })
    const inTls = (name: string) => join(server.folder, 'tls', name)
    return {
      isSubject: ({ key }) => key === server.dataDirectory,
      pairs: [one, next],
      ...await watching({ own: [inTls('own.crt'), inTls('own.key')], foreign: [server.configPath] }),
    }
  },
})
