import { freePort, startProcess, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connectLocally } from './local-connect.ts'

async function greeter(t: TestContext, place: { path: string } | { host: string; port: number }) {
  const server = createServer((socket) => { socket.on('error', () => undefined).end('hello') }).listen(place)
  await once(server, 'listening')
  t.after(() => { server.close() })
  return server.address() as AddressInfo
}

test('TCP ports and Unix sockets are open when they are given', async (t) => {
  const path = join(await tempFolder(t, 'connect'), 'socket')
  const { port } = await greeter(t, { host: '127.0.0.1', port: 0 })
  await greeter(t, { path })
  for (const to of [{ address: '127.0.0.1', port }, { path }]) {
    const stream = await connectLocally(to)
    assert.equal((await stream.toArray()).join(''), 'hello')
  }
})

test('why there is no connection is told in plain words', async (t) => {
  const folder = await tempFolder(t, 'connect')
  await writeFile(join(folder, 'file'), '')
  const port = await freePort()
  const unreachable = (message: RegExp) => ({ code: 'HOST_UNREACHABLE', message })
  await assert.rejects(connectLocally({ address: '127.0.0.1', port }), unreachable(/No connection to 127\.0\.0\.1 port \d+: nothing listens there\./))
  await assert.rejects(connectLocally({ path: join(folder, 'none') }), unreachable(/the socket .*none: there is no such socket/))
  await assert.rejects(connectLocally({ path: join(folder, 'file') }), unreachable(/nothing listens there|not a socket/))
})

test('a listener that takes no connections is given up after the time', async (t) => {
  // It listens, and then its only thread sleeps: once its queue of one is full, the system answers nobody.
  const program = "const s = require('net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => { process.stdout.write(s.address().port + '\\n', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)) })"
  const [, port] = await (await startProcess(t, [process.execPath, '-e', program])).waitFor(/(\d+)\n/)
  const to = { address: '127.0.0.1', port: Number(port) }
  const tries = await Promise.allSettled(Array.from({ length: 4 }, () => connectLocally(to, 200)))
  for (const one of tries) if (one.status === 'fulfilled') one.value.destroy()
  assert.match(String(tries.find((one) => one.status === 'rejected')?.reason), /nothing answered within 200 ms/)
})
