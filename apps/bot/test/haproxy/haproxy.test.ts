import { leftOut, selfSignedPair, startHaproxy } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { assertDeployed, deployer, detect, servedBy, slotOf, stepKinds } from '../kit/kit.ts'
import { combined, frontend, pairOf, slotAt } from './haproxy-kit.ts'

const skip = leftOut('haproxy')

test('several frontends, names, a folder, RSA beside ECDSA, separate keys and both orders; deployed by a reload', { skip }, async (t) => {
  const [shop, dual, apart, wild, next] = await Promise.all([pairOf('shop.test', 'www.shop.test'), selfSignedPair(['shop.test'], 'rsa'), pairOf('apart.test'), pairOf('*.wild.test'), pairOf('shop.test')])
  const haproxy = await startHaproxy(t, {
    portCount: 2,
    sections: async ({ folder, ports }) => {
      const certs = join(folder, 'certs')
      await combined(join(certs, 'a-shop.pem'), shop, 'kc')
      await combined(join(certs, 'b-shop.pem'), dual)
      await writeFile(join(certs, 'c-apart.pem'), apart.certPem)
      await writeFile(join(certs, 'c-apart.pem.key'), apart.keyPem, { mode: 0o600 })
      await combined(join(certs, 'wild.pem'), wild)
      await writeFile(join(certs, '.hidden'), 'not read')
      return frontend('one', ports[0], `crt ${certs}`) + frontend('two', ports[1], `crt wild.pem crt c-apart.pem strict-sni`)
    },
    globals: ({ folder }) => `  crt-base ${folder}/certs\n`,
  })
  const server = await detect('haproxy', haproxy.configPath)
  assert.equal(server.problem, null)
  assert.deepEqual(server.slots.map(({ fields }) => [fields['certificatePath'], fields['keyPath']].map((file) => String(file).split('/').at(-1))), [['a-shop.pem', 'a-shop.pem'], ['b-shop.pem', 'b-shop.pem'], ['c-apart.pem', 'c-apart.pem.key'], ['wild.pem', 'wild.pem']])
  const at = (name: string) => servedBy(haproxy.ports, slotOf(server, name))
  assert.deepEqual(at('a-shop.pem'), { '0 tls': shop.fingerprint, '0 tls shop.test ec': shop.fingerprint, '0 tls www.shop.test': shop.fingerprint })
  assert.deepEqual(at('b-shop.pem'), { '0 tls shop.test rsa': dual.fingerprint })
  assert.deepEqual(at('c-apart.pem'), { '0 tls apart.test': apart.fingerprint, '1 tls apart.test': apart.fingerprint })
  assert.deepEqual(at('wild.pem'), { '0 tls certloop-proof.wild.test': wild.fingerprint, '1 tls certloop-proof.wild.test': wild.fingerprint })

  const { plan, deploy } = await deployer(t, 'haproxy')
  const { fields } = slotOf(server, 'a-shop.pem')
  const planned = await plan(fields, next)
  assert.deepEqual(stepKinds(planned), ['write key-and-full-chain', 'run-command', 'reload-service', 'prove'])
  assert.partialDeepStrictEqual(planned.steps[2], { process: { pid: haproxy.pid, arguments: [haproxy.configPath] } }, 'the master can be told from others when the command runs')
  assertDeployed(await deploy(fields, next))
  // www.shop.test is no name of the new certificate: the proof did not ask for it.
  assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'a-shop.pem')), { '0 tls': next.fingerprint, '0 tls shop.test ec': next.fingerprint })
  assert.equal(await readFile(join(haproxy.folder, 'certs/a-shop.pem'), 'utf8'), next.keyPem + next.certPem)
  assert.equal(await readFile(join(haproxy.folder, 'certs/.hidden'), 'utf8'), 'not read')

  const more = await pairOf('apart.test')
  assertDeployed(await deploy(slotOf(server, 'c-apart.pem').fields, more))
  assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'c-apart.pem')), { '0 tls apart.test': more.fingerprint, '1 tls apart.test': more.fingerprint })
  await assert.rejects(plan(slotOf(server, 'b-shop.pem').fields, next), { code: 'PLAN_FAILED', message: /other certificates answer for each of its names/ })
  await assert.rejects(plan(fields, await pairOf('shop.test', 'apart.test')), { code: 'PLAN_FAILED', message: /would answer on \S+ apart\.test instead of \S+c-apart\.pem/ })
})

test('the runtime API: the running worker takes it up, the file has it too, other certificates stay', { skip }, async (t) => {
  const [one, two, next, again] = await Promise.all([pairOf('one.test'), pairOf('two.test'), pairOf('one.test'), pairOf('two.test')])
  const haproxy = await startHaproxy(t, {
    statsLevel: 'admin',
    sections: async ({ folder, ports }) => {
      await combined(join(folder, 'certs/one.pem'), one)
      await writeFile(join(folder, 'certs/two.pem'), two.certPem)
      await writeFile(join(folder, 'certs/two.pem.key'), two.keyPem, { mode: 0o600 })
      await writeFile(join(folder, 'list'), `# list\n${folder}/certs/one.pem [alpn h2,http/1.1] one.test *.filter.test !no.filter.test\ncerts/two.pem\n`)
      return frontend('web', ports[0], `crt-list ${folder}/list`)
    },
  })
  const server = await detect('haproxy', haproxy.configPath)
  const worker = await workerOf(haproxy.pid)
  const { plan, deploy } = await deployer(t, 'haproxy')
  const { fields } = slotOf(server, 'one.pem')
  assert.deepEqual(servedBy(haproxy.ports, slotOf(server, 'one.pem')), { '0 tls': one.fingerprint, '0 tls one.test': one.fingerprint, '0 tls certloop-proof.filter.test': one.fingerprint })
  assert.deepEqual(stepKinds(await plan(fields, next)), ['write full-chain-and-key', 'run-command', 'socket-command', 'prove'])
  assert.deepEqual(stepKinds(await plan({ ...fields, activation: 'reload' }, next)), ['write full-chain-and-key', 'run-command', 'reload-service', 'prove'])

  const idle = await openConnection(t, haproxy.ports[0])
  assertDeployed(await deploy(fields, next))
  assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'one.pem')), { '0 tls': next.fingerprint, '0 tls one.test': next.fingerprint, '0 tls certloop-proof.filter.test': next.fingerprint })
  assert.equal(await readFile(join(haproxy.folder, 'certs/one.pem'), 'utf8'), next.certPem + next.keyPem)
  assertDeployed(await deploy(slotOf(server, 'two.pem').fields, again))
  assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'two.pem')), { '0 tls two.test': again.fingerprint })
  assert.equal(await workerOf(haproxy.pid), worker, 'the same worker: nothing was reloaded')
  assert.match(await idle.ask(), /^HTTP\/1\.1 200/)
})

test('a connection under way goes on over a reload until it ends', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf('one.test'), pairOf('one.test')])
  const haproxy = await startHaproxy(t, { sections: async ({ folder, ports }) => frontend('web', ports[0], `crt ${await combined(join(folder, 'certs/one.pem'), old)}`) })
  const { deploy } = await deployer(t, 'haproxy')
  const worker = await workerOf(haproxy.pid)
  const idle = await openConnection(t, haproxy.ports[0])
  assertDeployed(await deploy((await slotAt(haproxy, 'one.pem')).fields, next))
  assert.match(await idle.ask(), /^HTTP\/1\.1 200/)
  assert.notEqual((await workerOf(haproxy.pid)).split(' ').at(-1), worker)
})

const workerOf = async (pid: number): Promise<string> => (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim()

/** A TLS connection that is kept; `ask` sends a request over it. */
async function openConnection(t: TestContext, port = 0): Promise<{ ask(): Promise<string> }> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'one.test' }).setEncoding('utf8')
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  const cut = new Promise<never>((_resolve, reject) => { socket.once('close', () => { reject(new Error('the connection was cut')) }).on('error', reject) })
  cut.catch(() => {})
  return {
    async ask() {
      socket.write('GET / HTTP/1.1\r\nHost: one.test\r\n\r\n')
      return String((await Promise.race([once(socket, 'data'), cut]))[0])
    },
  }
}
