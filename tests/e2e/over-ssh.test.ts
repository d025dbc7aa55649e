import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RemoteScan, RemoteScanInput, SshReach } from '@certloop/contract'
import { eventually, leftOut, makeAccount, makeLoginKey, nginxTempPaths, selfSignedPair, startNginx, startSshd, tempFolder, writePair } from '@certloop/test-kit'
import { act, configurationFor, startBot, startPlane, uniqueName, type Plane, type RunningBot } from './kit/plane.ts'
import { served } from './kit/served.ts'

const skip = leftOut('nginx') || leftOut('sshd')

async function look(plane: Plane, bot: RunningBot, input: RemoteScanInput): Promise<RemoteScan> {
  const { id } = await plane.client.call('startRemoteScan', { params: { id: bot.id }, body: input })
  return eventually(async () => {
    const scan = await plane.client.call('getRemoteScan', { params: { id } })
    return scan.state === 'running' ? undefined : scan
  }, { what: 'the end of the look over SSH', timeoutMs: 60_000 })
}

/** Every file below the folder that holds the text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const found = await Promise.all(names.map(async (name) => ((await readFile(name)).includes(text) ? [name] : [])))
  return found.flat()
}

test('a host is looked at, its key confirmed, and its nginx rotated over SSH; the login key lies nowhere in the clear', { skip, timeout: 240_000 }, async (t) => {
  const plane = await startPlane(t)
  const bot = await startBot(t, plane)
  // It has told its key for secrets, and its first look at its own host is over before the nginx of this test runs.
  await eventually(async () => (await plane.client.call('getBot', { params: { id: bot.id } })).lastScanAt, { what: 'the first scan', timeoutMs: 60_000 })
  const [sshd, account, key] = [await startSshd(t), await makeAccount(t, { uid: 0 }), await makeLoginKey(t)]
  await sshd.authorize(account.name, key.publicLine)
  const name = uniqueName()
  const pair = await writePair(await tempFolder(t, 'nginx-files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, {
    configuration: ({ prefix, ports }) => `http {
${nginxTempPaths(prefix)}
  server { listen 127.0.0.1:${ports[0]} ssl; server_name ${name}; ssl_certificate ${pair.certPath}; ssl_certificate_key ${pair.keyPath}; }
}
`,
  })
  const port = nginx.ports[0] ?? 0
  const reach: SshReach = { kind: 'ssh', host: '127.0.0.1', port: sshd.port, user: account.name, authentication: 'key', hostKey: null, privilege: 'none', jumps: [] }
  const secrets = { login: { privateKey: key.privateText } }

  const unknown = await look(plane, bot, { reach, secrets })
  assert.deepEqual([unknown.state, unknown.error?.code, unknown.error?.facts['fingerprint']], ['failed', 'HOST_KEY_UNKNOWN', sshd.fingerprints[0]])
  const scan = await look(plane, bot, { reach: { ...reach, hostKey: sshd.fingerprints[0] ?? null }, secrets })
  assert.equal(scan.state, 'done', JSON.stringify(scan.error))
  const slot = scan.servers.flatMap((server) => server.slots).find(({ fields }) => fields['certificatePath'] === pair.certPath)
  assert.ok(slot)
  assert.deepEqual([slot.names, new Set(slot.served.map(({ fingerprint }) => fingerprint))], [[name], new Set([pair.fingerprint])])

  const { id } = await plane.client.call('createCertificate', { body: { names: [name] } })
  const configure = async () => plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, [{ botId: bot.id, serverType: 'nginx', reach, fields: slot.fields, secrets }]) })
  await configure()
  const stopped = await act(plane, id, 'initiate')
  assert.deepEqual([stopped.state, stopped.error?.code], ['failed', 'HOST_KEY_UNKNOWN'])
  const waiting = await plane.client.call('getCertificate', { params: { id } })
  const target = waiting.configuration?.targets[0]
  assert.ok(target?.seenHostKey)
  assert.deepEqual([waiting.problem?.code, target.seenHostKey.fingerprint], ['HOST_KEY_UNKNOWN', sshd.fingerprints[0]])
  await plane.client.call('confirmHostKey', { params: { id, targetId: target.id }, body: { fingerprint: target.seenHostKey.fingerprint } })

  const initiated = await act(plane, id, 'initiate')
  assert.equal(initiated.state, 'done', JSON.stringify(initiated.error))
  assert.equal(await served(port, name), pair.fingerprint)
  const rotated = await act(plane, id, 'rotate')
  assert.equal(rotated.state, 'done', JSON.stringify(rotated.error))
  const first = await served(port, name)
  assert.notEqual(first, pair.fingerprint)
  await bot.kill('SIGTERM')
  await bot.restart()
  const again = await act(plane, id, 'rotate')
  assert.equal(again.state, 'done', JSON.stringify(again.error))
  const now = await plane.client.call('getCertificate', { params: { id } })
  assert.deepEqual([now.status, now.problem, now.installations.map((i) => i.state)], ['deployed', null, ['in-sync']])
  assert.equal(await served(port, name), now.fingerprint)
  assert.notEqual(now.fingerprint, first)

  const [line = ''] = key.privateText.split('\n').slice(1)
  assert.deepEqual([...await filesWith(plane.dataFolder, line), ...await filesWith(bot.dataFolder, line)], [])
  assert.ok(!`${bot.process().output()}${plane.process().output()}`.includes(line))
})
