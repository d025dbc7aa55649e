import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { CertloopError, toCertloopError } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import type { AuthorityConnector, Call, Handle, IssueRequest, Outbound, OutboundRequest, WantedProof } from '@certloop/plugin-kit'
import { leftOut, startPebble, type RunningPebble } from '@certloop/test-kit'
import { drive, testCall, testConnector, testMemory, testOutbound, testRequest } from './acme-testing.ts'

const skip = leftOut('pebble')
const fieldsOf = (pebble: RunningPebble) => ({ directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, httpPort: pebble.httpPort })
const accountsOf = (pebble: RunningPebble) => Number([...pebble.output().matchAll(/There are now (\d+) accounts/g)].at(-1)?.[1] ?? 0)
class Killed extends Error {}

/** A way out that dies at a moment: before a request leaves, or before its answer is read. */
function mortal(dies: (request: OutboundRequest, count: number) => 'before' | 'after' | undefined): (options?: { trustPem?: string }) => Outbound {
  let count = 0
  let dead = false
  return (options) => {
    const real = testOutbound(options)
    return {
      async request(request) {
        const when = dead ? 'before' : dies(request, ++count)
        if (when !== undefined) dead = true
        if (when === 'before') throw new Killed()
        const answer = await real.request(request)
        if (when === 'after') throw new Killed()
        return answer
      },
    }
  }
}

interface Life { pebble: RunningPebble; memory: ReturnType<typeof testMemory>; request: IssueRequest; kept: { handle: Handle | undefined } }

/** One life of a process: begins with what was kept, ends with the certificate or its death. */
async function live({ pebble, memory, request, kept }: Life, outbound: ReturnType<typeof mortal>): Promise<string[] | undefined> {
  const { connector } = testConnector(fieldsOf(pebble), { memory, outbound })
  const call = testCall(async (handle) => { kept.handle = structuredClone(handle) })
  try {
    for (let looks = 0; looks < 200; looks++) {
      const found = kept.handle ? undefined : await connector.find?.(request, call)
      const progress = found ?? await (kept.handle ? connector.proceed(request, kept.handle, call) : connector.submit(request, call))
      if (progress.state === 'issued') return progress.chainPem
      kept.handle = structuredClone(progress.handle)
      if (progress.state === 'proving') await proveByHttp(pebble, connector, progress.proofs, call)
      await sleep(10)
    }
    throw new Error('not issued')
  } catch (error) {
    if (error instanceof Killed) return undefined
    throw error
  }
}

async function proveByHttp({ challenges }: RunningPebble, connector: AuthorityConnector, proofs: readonly WantedProof[], call: Call): Promise<void> {
  for (const { id, state, ways } of proofs) {
    const way = ways.find(({ kind }) => kind === 'http')
    if (state !== 'wanted' || way?.kind !== 'http') continue
    await challenges.addHttp(way.path.split('/').at(-1) ?? '', way.content)
    await connector.prove?.({}, { id, wayId: way.id }, call)
  }
}

test('killed before and after every request, there is one account, one order and one certificate', { skip, timeout: 120_000 }, async (t) => {
  const pebble = await startPebble(t)
  for (const when of ['before', 'after'] as const) {
    for (let nth = 1; ; nth++) {
      const life: Life = { pebble, memory: testMemory(), kept: { handle: undefined }, request: await testRequest([`${when}${nth}.example.com`]) }
      const [start, accounts] = [pebble.counts(), accountsOf(pebble)]
      const died = await live(life, mortal((_request, count) => (count === nth ? when : undefined))) === undefined
      if (died) assert.ok(await live(life, mortal(() => undefined)), `after a death ${when} request ${nth}`)
      const end = pebble.counts()
      assert.deepEqual([accountsOf(pebble) - accounts, end.orders - start.orders, end.finalized - start.finalized], [1, 1, 1], `with a death ${when} request ${nth}`)
      if (!died) {
        assert.ok(nth > 9, `only ${nth} requests`)
        break
      }
    }
  }
})

test('an order that was lost with its authority can be submitted anew, with an account made anew', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const memory = testMemory()
  const [request, call] = [await testRequest(['a.example.com']), testCall()]
  const { connector } = testConnector(fieldsOf(pebble), { memory })
  await connector.submit(request, call)
  const { ports, pair, challenges } = pebble
  await pebble.stop()
  await assert.rejects(connector.proceed(request, call.handle ?? {}, call), (error: unknown) => error instanceof CertloopError && error.code === 'AUTHORITY_UNREACHABLE' && error.facts['sent'] === 'no')
  const next = await startPebble(t, { ports, pair, challenges })
  await assert.rejects(connector.proceed(request, call.handle ?? {}, call), (error: unknown) => error instanceof CertloopError && error.code === 'ORDER_EXPIRED')
  const { chainPem } = await drive(connector, request, challenges)
  assert.deepEqual(readCertificate(chainPem[0] ?? '').names, ['a.example.com'])
  assert.deepEqual(next.counts(), { accounts: 1, orders: 1, finalized: 1 })
})

test('finds an order on the third page of the list that waits for just these names, and no other', { skip }, async (t) => {
  const pebble = await startPebble(t, { ordersPerPage: 2 })
  const { connector } = testConnector(fieldsOf(pebble))
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((host) => [`${host}.example.com`, 'shared.example.com'])
  const handles = await Promise.all(names.map(async (each) => {
    const call = testCall()
    await connector.submit(await testRequest(each), call)
    return call.handle
  }))
  for (const [index, each] of names.entries()) {
    const call = testCall()
    assert.equal((await connector.find?.(await testRequest(each.toReversed()), call))?.state, 'proving')
    assert.deepEqual(call.handle, handles[index])
  }
  for (const each of [['a.example.com'], ['a.example.com', 'b.example.com', 'shared.example.com']]) assert.equal(await connector.find?.(await testRequest(each), testCall()), undefined)
  assert.equal(await testConnector(fieldsOf(pebble)).connector.find?.(await testRequest(['a.example.com']), testCall()), undefined)
})

test('a new key for the account: the old one is gone, and other processes go on with it', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const memory = testMemory()
  const [rolling, other] = [testConnector(fieldsOf(pebble), { memory }).connector, testConnector(fieldsOf(pebble), { memory }).connector]
  const call = testCall()
  await other.submit(await testRequest(['a.example.com']), testCall())
  const before = memory.present
  await rolling.rollAccountKey?.(call)
  assert.match(call.notes.join('\n'), /has a new key/)
  assert.notDeepEqual(memory.present, before)
  await drive(other, await testRequest(['b.example.com']), pebble.challenges)
  const stale = testMemory()
  stale.present = before
  await assert.rejects(testConnector(fieldsOf(pebble), { memory: stale }).connector.submit(await testRequest(['c.example.com']), testCall()))
  assert.equal(accountsOf(pebble), 1)
})

test('killed during a change of the key, the next call finds out which key counts, and the next change ends it', { skip }, async (t) => {
  const pebble = await startPebble(t)
  for (const when of ['before', 'after'] as const) {
    const memory = testMemory()
    const accounts = accountsOf(pebble)
    await testConnector(fieldsOf(pebble), { memory }).connector.submit(await testRequest(['a.example.com']), testCall())
    const dying = testConnector(fieldsOf(pebble), { memory, outbound: mortal(({ url, method }) => (method === 'POST' && url.includes('rollover') ? when : undefined)) }).connector
    await assert.rejects(dying.rollAccountKey?.(testCall()) ?? Promise.resolve(), (error: unknown) => toCertloopError(error).message === '')
    const { nextKey } = JSON.parse(Object.values(memory.present)[0] ?? '{}') as { nextKey?: string }
    assert.ok(nextKey, 'both keys are kept')
    const { connector } = testConnector(fieldsOf(pebble), { memory })
    await drive(connector, await testRequest([`${when}.example.com`]), pebble.challenges)
    await testConnector(fieldsOf(pebble), { memory }).connector.rollAccountKey?.(testCall())
    const ended = JSON.parse(Object.values(memory.present)[0] ?? '{}') as { key?: string; nextKey?: string }
    assert.equal(ended.nextKey, undefined)
    // A change that may still arrive is gone on with, and not given up for another key.
    assert.equal(ended.key === nextKey, when === 'before')
    await drive(connector, await testRequest([`${when}2.example.com`]), pebble.challenges)
    assert.equal(accountsOf(pebble) - accounts, 1)
  }
})
