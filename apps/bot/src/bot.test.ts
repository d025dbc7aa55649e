import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { newId } from '@certloop/contract'
import { eventually, tempFolder } from '@certloop/test-kit'
import { joinedBot, listeningLogger } from '../test/joined-bot.ts'
import { startBot } from './bot.ts'

const now = () => new Date()
const parts = () => ({ environment: {}, now, random: () => 0, backoff: { firstMs: 10, capMs: 50 }, logger: listeningLogger() })
const order = () => ({ orderId: newId('ord', new Date()), commonName: null, names: ['shop.example'], keyAlgorithm: 'ec-256', reuseKeyId: null })

async function started(t: TestContext, more: { deliveryGraceMs?: number } = {}) {
  const { server, dataFolder } = await joinedBot(t, { now })
  const options = { dataFolder, ...parts(), ...more }
  const bot = await startBot(options)
  t.after(() => bot.stop())
  return { server, bot, dataFolder, options }
}

test('a bot started in this process works, stops, and gives its folder free', async (t) => {
  const { server, bot, options } = await started(t)
  const id = server.give('make-csr', order())
  await eventually(() => server.board.results.get(id)?.ok)
  await assert.rejects(startBot(options), { code: 'DATA_FOLDER_IN_USE' })
  await bot.stop()
  assert.equal(await bot.ended, undefined)
  const again = await startBot(options)
  await again.stop()
})

test('stopping while the control plane is away ends within the time allowed for results', async (t) => {
  const { server, bot, options } = await started(t, { deliveryGraceMs: 100 })
  server.state.mischief = (path) => path.endsWith('/result') ? 'cut-before' : undefined
  server.give('make-csr', order())
  await eventually(() => options.logger.lines.some(({ message }) => message.includes('could not be delivered')))
  await bot.stop()
  assert.equal(server.board.results.size, 0)
})

test('stopping before the first connection is made ends at once', async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  await server.stop()
  const bot = await startBot({ dataFolder, ...parts(), backoff: { firstMs: 1_000_000, capMs: 1_000_000 } })
  await bot.stop()
  assert.equal(await bot.ended, undefined)
})

test('a revoked bot ends by itself with the reason', async (t) => {
  const { server, bot } = await started(t)
  await eventually(() => server.hellos.length === 1)
  server.gate.refuse = 'BOT_REVOKED'
  server.ring()
  assert.equal((await bot.ended)?.code, 'BOT_REVOKED')
})

test('a start that fails leaves the folder free', async (t) => {
  const dataFolder = await tempFolder(t)
  for (let i = 0; i < 2; i++) await assert.rejects(startBot({ dataFolder, ...parts() }), { code: 'BOT_NOT_JOINED' })
})
