import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError, newId, type BotTask, type DeployLogEntry } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { scan, working } from '../../test/working-bot.ts'
import type { Job, LogSink } from './handlers.ts'
import { DeploymentUnfinished } from '../engine/index.ts'
import { mostWaiting } from './task-runner.ts'

const start = (t: TestContext, jobFor: (task: BotTask) => Job, more: { limit?: number; leaseMs?: number; unfinishedMs?: number } = {}) => working(t, jobFor, { now: () => new Date(), ...more })
const line = (message: string): DeployLogEntry => ({ at: '2026-01-01T00:00:00.000Z', step: null, phase: 'do', ok: true, message, output: null, durationMs: null })

const job = (run: (log: LogSink) => Promise<unknown>, accepted = () => Promise.resolve()): Job => ({ run, accepted })
/** Work that goes on until the test lets it end. */
function gated() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: resolve, wait: promise }
}

test('a task is worked on, told, and noted as told', async (t) => {
  let noted = 0
  const bot = await start(t, () => job(() => Promise.resolve(scan), () => { noted++; return Promise.resolve() }))
  assert.deepEqual(await bot.result(bot.server.give('scan-host', {})), { ok: true, data: scan })
  await eventually(() => noted === 1)
  assert.deepEqual(bot.connection, [true])
})

for (const mischief of ['cut-before', 'cut-after', { status: 503, headers: { 'retry-after': '0' } }, { status: 500, body: 'oops' }] as const) {
  test(`a result lost to ${typeof mischief === 'string' ? mischief : mischief.status} is told again, the work is not done again`, async (t) => {
    let runs = 0
    let noted = 0
    const bot = await start(t, () => job(() => { runs++; return Promise.resolve(scan) }, () => { noted++; return Promise.resolve() }))
    let mischiefs = 0
    bot.server.state.mischief = (path) => path.endsWith('/result') && mischiefs++ < 3 ? mischief : undefined
    await bot.result(bot.server.give('scan-host', {}))
    await eventually(() => noted === 1)
    assert.deepEqual([runs, mischiefs], [1, 4])
  })
}

test('work that fails, or a task nobody can do, is told with its reason', async (t) => {
  const bot = await start(t, ({ kind }) => {
    if (kind === 'make-csr') throw new CertloopError('INPUT_INVALID', 'The payload is odd.')
    return job(() => Promise.reject(new TypeError('a bug')))
  })
  assert.partialDeepStrictEqual(await bot.result(bot.server.give('make-csr', 1)), { ok: false, error: { code: 'INPUT_INVALID', message: 'The payload is odd.' } })
  assert.partialDeepStrictEqual(await bot.result(bot.server.give('scan-host', {})), { ok: false, error: { code: 'INTERNAL', message: 'a bug' } })
})

test('a task of a kind this bot does not know is refused, and the one beside it is done', async (t) => {
  const bot = await start(t, () => job(() => Promise.resolve(scan)))
  const [odd, plain] = [bot.server.give('fly-to-the-moon', {}), bot.server.give('scan-host', {})]
  assert.partialDeepStrictEqual(await bot.result(odd), { ok: false, error: { code: 'INPUT_INVALID' } })
  assert.equal((await bot.result(plain)).ok, true)
})

test('a result the control plane can not read is replaced by the reason', async (t) => {
  const bot = await start(t, () => job(() => Promise.resolve({ at: 'nonsense' })))
  assert.partialDeepStrictEqual(await bot.result(bot.server.give('scan-host', {})), { ok: false, error: { code: 'ANSWER_INVALID' } })
})

test('the lease is renewed while the work goes on, and log lines are sent in order', async (t) => {
  const gate = gated()
  const bot = await start(t, () => job(async (log) => {
    log(line('one'))
    log(line('two'))
    await gate.wait
    return scan
  }), { leaseMs: 6_000 })
  const id = bot.server.give('scan-host', {})
  await eventually(() => bot.server.board.progress.length >= 2, { what: 'two renewals' })
  gate.open()
  await bot.result(id)
  assert.deepEqual(bot.server.board.progress.flatMap((p) => p.request.log.map((entry) => entry.message)), ['one', 'two'])
  assert.equal(bot.server.board.held[0]?.task.fence, 1, 'never leased anew')
})

test('log lines that were not taken are sent again', async (t) => {
  const gate = gated()
  const bot = await start(t, () => job(async (log) => { log(line('one')); await gate.wait; return scan }))
  let lost = 0
  bot.server.state.mischief = (path) => path.endsWith('/progress') && lost++ < 2 ? 'cut-before' : undefined
  const id = bot.server.give('scan-host', {})
  await eventually(() => bot.server.board.progress.length > 0)
  gate.open()
  await bot.result(id)
  assert.equal(bot.server.board.progress[0]?.request.log[0]?.message, 'one')
})

test('a task taken away and given again goes on under its new fence, once', async (t) => {
  const gate = gated()
  let runs = 0
  const bot = await start(t, () => job(async (log) => {
    runs++
    log(line('begun'))
    await gate.wait
    return scan
  }))
  const id = bot.server.give('scan-host', {})
  await eventually(() => bot.server.board.progress.length > 0)
  bot.server.board.takeAway(id)
  bot.server.ring()
  await eventually(() => bot.server.board.held[0]?.task.fence === 2)
  gate.open()
  assert.equal((await bot.result(id)).ok, true)
  assert.equal(runs, 1)
})

test('a task that another has by now: its result is dropped and not noted as told', async (t) => {
  let noted = 0
  const gate = gated()
  const bot = await start(t, () => job(async () => { await gate.wait; return scan }, () => { noted++; return Promise.resolve() }), { limit: 1 })
  const id = bot.server.give('scan-host', {})
  await eventually(() => bot.server.board.held[0]?.bootId !== null)
  const [held] = bot.server.board.held
  assert.ok(held)
  held.task.fence += 1
  gate.open()
  await eventually(() => bot.logger.lines.some(({ message }) => message.includes('no longer')))
  assert.deepEqual([noted, bot.server.board.results.has(id)], [0, false])
})

test('never more tasks at once than the limit', async (t) => {
  let [running, most, finished] = [0, 0, 0]
  const gates: (() => void)[] = []
  const bot = await start(t, () => job(async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => gates.push(resolve))
    running--
    finished++
    return scan
  }), { limit: 2 })
  const ids = Array.from({ length: 5 }, () => bot.server.give('scan-host', {}))
  await eventually(() => { gates.shift()?.(); return finished === 5 })
  for (const id of ids) await bot.result(id)
  assert.equal(most, 2)
})

test('deployments that hang hold up neither keys nor scans, and each other only', async (t) => {
  const gate = gated()
  const begun: string[] = []
  const bot = await start(t, ({ kind, id }) => job(async () => {
    begun.push(kind)
    if (kind === 'inspect-target') await gate.wait
    return kind === 'inspect-target' ? { at: scan.at, installedPem: null, served: [] } : { keyId: id.replace('tsk', 'key'), csrPem: 'x' }
  }))
  const stuck = Array.from({ length: 8 }, () => bot.server.give('inspect-target', {}))
  await eventually(() => begun.length === 3)
  await bot.result(bot.server.give('make-csr', {}))
  assert.deepEqual(begun, ['inspect-target', 'inspect-target', 'inspect-target', 'make-csr'])
  gate.open()
  for (const id of stuck) await bot.result(id)
})

test('a task that waits for a place is not begun when the bot stops', async (t) => {
  const gate = gated()
  let begun = 0
  const bot = await start(t, () => job(async () => { begun++; await gate.wait; return scan }), { limit: 1 })
  const first = bot.server.give('scan-host', {})
  await eventually(() => begun === 1)
  bot.server.give('scan-host', {})
  await eventually(() => bot.server.board.due().length === 0)
  const stopped = bot.stop()
  gate.open()
  await stopped
  assert.equal(bot.server.board.results.get(first)?.ok, true)
  assert.equal(begun, 1)
  assert.ok(bot.logger.lines.some(({ message }) => message.includes('is not begun')))
})

test('stopping lets the work end and tells its result', async (t) => {
  const gate = gated()
  let runs = 0
  const bot = await start(t, () => job(async () => { runs++; await gate.wait; return scan }))
  const id = bot.server.give('scan-host', {})
  await eventually(() => bot.runner.free() === 3 + mostWaiting)
  const stopped = bot.stop()
  bot.server.give('scan-host', {})
  gate.open()
  await stopped
  assert.equal(bot.server.board.results.get(id)?.ok, true)
  assert.equal(runs, 1, 'no new work was begun')
})

test('a bot that is revoked stops asking and telling', async (t) => {
  const gate = gated()
  const bot = await start(t, () => job(async () => { await gate.wait; return scan }))
  bot.server.give('scan-host', {})
  await eventually(() => bot.runner.free() === 3 + mostWaiting)
  bot.server.gate.refuse = 'BOT_REVOKED'
  gate.open()
  assert.equal((await bot.ended as CertloopError).code, 'BOT_REVOKED')
  await bot.runner.idle()
  const calls = bot.server.seen.length
  await bot.stop()
  assert.equal(bot.server.seen.length, calls)
})

test('a control plane that is away for a while is found again, and hello is not repeated', async (t) => {
  const bot = await start(t, () => job(() => Promise.resolve(scan)))
  await bot.result(bot.server.give('scan-host', {}))
  await bot.server.stop()
  await eventually(() => bot.connection.at(-1) === false)
  await bot.server.start()
  await bot.result(bot.server.give('scan-host', {}))
  assert.equal(bot.connection.at(-1), true)
  assert.equal(bot.server.hellos.length, 1)
})

test('work is refused by its id even when the rest of a task can not be read', async (t) => {
  const bot = await start(t, () => job(() => Promise.resolve(scan)))
  const id = newId('tsk', new Date())
  let sent = false
  bot.server.state.mischief = (path) => {
    if (!path.endsWith('/lease') || sent) return undefined
    sent = true
    return { status: 200, body: JSON.stringify({ tasks: [{ id, fence: 3 }, 'nonsense', null] }) }
  }
  await eventually(() => bot.server.seen.find((s) => s.path.includes(id)))
  await eventually(() => bot.logger.lines.filter(({ message }) => message.includes('can not be read')).length === 2)
})

const away = () => new DeploymentUnfinished(new CertloopError('HOST_UNREACHABLE', 'The host is away.'))

test('a deployment whose host is away is taken up until it is over, and holds no place meanwhile', async (t) => {
  let runs = 0
  let back = false
  const bot = await start(t, ({ kind }) => job(() => {
    if (kind === 'scan-host') return Promise.resolve(scan)
    runs++
    return back ? Promise.resolve({ outcome: 'deployed', touched: true, error: null, differences: [], inspection: null, log: [] }) : Promise.reject(away())
  }), { limit: 1 })
  const id = bot.server.give('deploy', {})
  await eventually(() => runs >= 2)
  await bot.result(bot.server.give('scan-host', {}))
  assert.equal(bot.server.board.results.get(id), undefined, 'nothing is told while it is unfinished')
  back = true
  assert.partialDeepStrictEqual(await bot.result(id), { ok: true, data: { outcome: 'deployed' } })
})

test('a bot that stops tells nothing of an unfinished deployment: it comes again', async (t) => {
  let runs = 0
  const bot = await start(t, () => job(() => { runs++; return Promise.reject(away()) }))
  const id = bot.server.give('deploy', {})
  await eventually(() => runs >= 1)
  await bot.stop()
  assert.equal(bot.server.board.results.get(id), undefined)
})

test('after a day, here shorter, the control plane is told that the deployment is unfinished', async (t) => {
  let runs = 0
  const bot = await start(t, () => job(() => { runs++; return Promise.reject(away()) }), { unfinishedMs: 60 })
  assert.partialDeepStrictEqual(await bot.result(bot.server.give('deploy', {})), { ok: true, data: { outcome: 'failed', touched: true, error: { code: 'HOST_UNREACHABLE' } } })
  assert.ok(runs > 1)
})
