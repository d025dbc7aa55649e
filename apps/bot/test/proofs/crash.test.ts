import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { runProcess } from '@certloop/test-kit'
import type { Asked } from '../../src/proofs/proof-list.ts'
import type { Job } from './proofs-process.ts'
import { scene, token } from './proofs-kit.ts'

const compiled = await mkdtemp(join(tmpdir(), 'certloop-compiled-'))
after(() => rm(compiled, { recursive: true, force: true }))
const program = join(import.meta.dirname, 'proofs-process.ts')

async function run(t: TestContext, job: Job): Promise<{ points: string[]; killed: boolean }> {
  const { code, signal, stdout, stderr } = await runProcess(t, [process.execPath, program, JSON.stringify(job)], { env: { NODE_COMPILE_CACHE: compiled } })
  assert.ok(code === 0 || signal === 'SIGKILL', stderr)
  return { points: stdout.split('\n').filter(Boolean), killed: signal === 'SIGKILL' }
}

/** Kills placing and removing at each point in turn. @returns the points */
async function killedEverywhere(t: TestContext, asked: (s: Awaited<ReturnType<typeof scene>>) => Promise<Asked>, check: (s: Awaited<ReturnType<typeof scene>>, asked: Asked) => Promise<void>): Promise<string[]> {
  for (let k = 0; ; k++) {
    const s = await scene(t)
    const wanted = await asked(s)
    const { points, killed } = await run(t, { listPath: s.listPath, now: s.later(0), asked: wanted, remove: true, killAt: k })
    if (!killed) return points
    await check(s, wanted).catch((error: Error) => { throw new Error(`killed at point ${k} (${points.at(-1)}): ${error.message}`, { cause: error }) })
  }
}

test('killed at any point, a file goes with its folders once it has expired, or is placed and removed when the word comes again', { timeout: 120_000 }, async (t) => {
  const points = await killedEverywhere(t, async (s) => s.file(), async (s, asked) => {
    const [kept, died] = [`${s.folder}-kept`, s.clock.at]
    t.after(() => rm(kept, { recursive: true, force: true }))
    await cp(s.folder, kept, { recursive: true })
    s.clock.at += 2 * 3_600_000
    await s.start()
    assert.deepEqual(await s.seen(), [])
    assert.deepEqual(JSON.parse(await readFile(s.listPath, 'utf8')), { proofs: [], folders: [] })

    await rm(s.folder, { recursive: true })
    await rename(kept, s.folder)
    s.clock.at = died
    const proofs = await s.start()
    await proofs.place(asked)
    assert.deepEqual(await s.seen(), ['.well-known', '.well-known/acme-challenge', token])
    assert.equal(await readFile(join(s.site, token), 'utf8'), 'aToken-1.thumbprint')
    assert.deepEqual(await proofs.remove(asked), { removed: true, left: null })
    assert.deepEqual(await s.seen(), [])
  })
  assert.deepEqual(points, ['noted', 'folder-made', 'folder-made', 'staged', 'named', 'file-removed', 'folder-removed', 'folder-removed', 'forgotten'])
})

test('killed while it answers a handshake, nothing of it is left after the next start', { timeout: 120_000 }, async (t) => {
  const points = await killedEverywhere(t, (s) => s.alpn(), async (s, asked) => {
    const proofs = await s.start()
    await proofs.place(asked)
    await proofs.remove(asked)
    assert.deepEqual(JSON.parse(await readFile(s.listPath, 'utf8')), { proofs: [], folders: [] })
  })
  assert.deepEqual(points, ['noted', 'forgotten'])
})
