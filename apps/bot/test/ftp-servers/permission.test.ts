import { findTool, leftOut, selfSignedPair, startProftpd, startVsftpd, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown } from 'node:fs/promises'
import { dirname } from 'node:path'
import { test, type TestContext } from 'node:test'
import { watching } from '../kit/conformance.ts'
import { deployer, detect, servedBy, slotOf, uniqueName } from '../kit/kit.ts'
import { leftOutReach, overSsh } from '../kit/reach.ts'

// What a bot that is not root, or an account of an SSH login without sudo, is told.

type Written = Awaited<ReturnType<typeof writePair>>
interface Started { ports: readonly number[]; key: string; configPath: string; fields: Record<string, unknown> }
interface Kind { type: string; skip: string | false; start: (t: TestContext, pair: Written) => Promise<Started> }

const kinds: Kind[] = [
  {
    type: 'vsftpd', skip: leftOut('vsftpd'),
    async start(t, { certPath, keyPath }) {
      const { port, configPath, restartCommand } = await startVsftpd(t, { settings: { ssl_enable: 'YES', rsa_cert_file: certPath, rsa_private_key_file: keyPath } })
      return { ports: [port], key: configPath, configPath, fields: { restartCommand } }
    },
  },
  {
    type: 'proftpd', skip: leftOut('proftpd') || (findTool('mod_tls.so') === undefined && leftOut('mod_tls.so')),
    async start(t, { certPath, keyPath }) {
      const { ports, file, configPath } = await startProftpd(t, { settings: () => `TLSEngine on\nTLSOptions NoSessionReuseRequired\nTLSECCertificateFile ${certPath}\nTLSECCertificateKeyFile ${keyPath}\n` })
      return { ports, key: configPath, configPath: file, fields: {} }
    },
  },
]

for (const { type, skip, start } of kinds) {
  test(`${type}: an account without rights is told which file is closed to it, and nothing is touched`, { skip: leftOutReach('ssh') || skip }, async (t) => {
    const at = await overSsh(t, {})
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([uniqueName()]))
    await chmod(dirname(one.certPath), 0o755)
    const server = await start(t, one)
    const { plan, deploy } = await deployer(t, type, { at })
    const next = await selfSignedPair([uniqueName()])
    const fields = { ...slotOf(await detect(type, server.key), 'one.crt').fields, ...server.fields }
    const { snapshot } = await watching({ own: [one.certPath, one.keyPath], foreign: [server.configPath] })
    const closed = (file: string) => ({ code: 'FILE_UNWRITABLE', message: new RegExp(`${file}: could not read it: the bot runs as .*EACCES`) })

    await chmod(server.configPath, 0o600)
    await assert.rejects(plan(fields, next), closed('\\.conf'))
    await chmod(server.configPath, 0o644)
    await assert.rejects(plan(fields, next), closed('one\\.key'))
    for (const file of [one.certPath, one.keyPath]) await chown(file, at.uid, at.gid)
    const before = await snapshot()
    const { outcome, touched, error } = await deploy(fields, next)
    assert.deepEqual([outcome, touched, error?.code], ['failed', false, 'FILE_UNWRITABLE'], JSON.stringify(error))
    assert.match(error?.message ?? '', /certloop-pairs-\w+ belongs to user 0, group 0, mode 0755/)
    assert.deepEqual(await snapshot(), before)
    assert.deepEqual(servedBy(server.ports, slotOf(await detect(type, server.key), 'one.crt')), { '0 ftp': one.fingerprint })
  })
}
