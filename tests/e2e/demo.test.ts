import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually, leftOut, startProcess, tempFolder, type TestProcess } from '@certloop/test-kit'

const demo = fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url))
const options = { timeout: 180_000 }

/** Its temporary folder is below one of our own, which also marks every process that works in it. */
async function startDemo(t: TestContext, ...args: string[]): Promise<{ run: TestProcess; temp: string }> {
  const temp = join(await tempFolder(t, 'demo-test'), 'tmp')
  await mkdir(temp)
  const run = await startProcess(t, [process.execPath, demo, ...args], { env: { TMPDIR: temp, CERTLOOP_PORT: '1', NO_COLOR: undefined, FORCE_COLOR: undefined } })
  return { run, temp }
}

/** Processes whose command line or working folder names the folder. Linux alone tells. */
function processesIn(folder: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return words.includes(folder) ? [`${pid} ${words}`] : []
    } catch {
      return [] // ended while we looked
    }
  })
}

async function assertNothingLeft(temp: string): Promise<void> {
  assert.deepEqual(await readdir(temp), [], 'the demo left something in its temporary folder')
  assert.deepEqual(processesIn(temp), [], 'the demo left processes')
}

/** What a newcomer reads: no line longer than the terminal, no colours in a pipe. */
function assertReadable(text: string): void {
  const long = text.split('\n').filter((line) => line.length > 80)
  assert.deepEqual(long, [])
  assert.ok(!text.includes('\u001b'), 'there are colour codes in a pipe')
}

/** The fingerprints told in one step, in order. */
const fingerprintsIn = (step: string | undefined) => [...(step ?? '').matchAll(/served (?:before|now) +([0-9a-f]{16})…/g)].map((match) => match[1])

test('the demo shows the whole loop on a real nginx and leaves nothing', { ...options, skip: leftOut('nginx') }, async (t) => {
  const { run, temp } = await startDemo(t)
  const { code } = await run.ended
  const text = run.stdout()
  assert.equal(code, 0, run.output())
  assertReadable(text)
  const steps = text.split(/^ ?\d+ {2}(?=[A-Z])/m).slice(1)
  assert.equal(steps.length, 9, text)
  const [, old, found, details, initiated, ordered, deployed, rotated, failed] = steps
  const [first] = fingerprintsIn(old)
  assert.ok(first)
  assert.match(old ?? '', /60 days, signed by itself/)
  assert.match(found ?? '', new RegExp(`found +shop-\\w+\\.example, ${first}…\n +status +discovered`))
  assert.match(details ?? '', /certificate +…\/certificates\/shop\.crt\n +key +…\/certificates\/shop\.key\n +configuration +…\/nginx\/nginx\.conf/)
  assert.deepEqual(fingerprintsIn(initiated), [first, first])
  assert.deepEqual(fingerprintsIn(ordered), [first, first])
  assert.match(deployed ?? '', /before anything is touched:\n +1 Replace the certificate[^]*4 Reload nginx[^]*5 Prove[^]*✔ Deployed and proven/)
  const [before, second] = fingerprintsIn(deployed)
  assert.equal(before, first)
  const [again, third] = fingerprintsIn(rotated)
  assert.equal(again, second)
  assert.equal(new Set([first, second, third]).size, 3)
  assert.match(failed ?? '', /✖ Test the configuration[^]*ee key too small[^]*↩ [^]*undone[^]*status +rolled-back/)
  assert.deepEqual(fingerprintsIn(failed), [third, third])
  assert.match(text, /What to do next:/)
  await assertNothingLeft(temp)
})

test('without nginx the demo shows the part that goes without and says what is left out', options, async (t) => {
  const { run, temp } = await startDemo(t, '--without-nginx')
  const { code } = await run.ended
  const text = run.stdout()
  assert.equal(code, 0, run.output())
  assertReadable(text)
  const [before, after] = fingerprintsIn(text.slice(text.indexOf('Install by hand')))
  assert.ok(before && after && before !== after, text)
  assert.match(text, /leads to the root of the built-in CA/)
  assert.match(text, /Left out[^]*rollback[^]*apt-get install\s+nginx-light/)
  await assertNothingLeft(temp)
})

test('Ctrl-C in the middle stops and removes everything', { ...options, skip: leftOut('nginx') }, async (t) => {
  const { run, temp } = await startDemo(t)
  await run.waitFor(/^ 4 {2}/m, 120_000)
  assert.ok(processesIn(temp).length >= 3, 'control plane, bot and nginx run')
  run.kill('SIGINT')
  const { signal } = await run.ended
  assert.equal(signal, 'SIGINT', run.output())
  await eventually(() => processesIn(temp).length === 0, { what: 'the end of every process' })
  await assertNothingLeft(temp)
})

test('a server that goes away in the middle: the demo says so and ends with 1', { ...options, skip: leftOut('nginx') }, async (t) => {
  const { run, temp } = await startDemo(t)
  await run.waitFor(/^ 4 {2}/m, 120_000)
  const master = processesIn(temp).find((line) => line.includes('nginx: master'))
  assert.ok(master, 'nginx runs')
  process.kill(Number.parseInt(master, 10), 'SIGTERM')
  const { code } = await run.ended
  assert.equal(code, 1, run.output())
  assert.match(run.stdout(), /It did not go as it has to|The demo broke off/)
  await assertNothingLeft(temp)
})

test('an unknown option is told', async (t) => {
  const { run } = await startDemo(t, '--with-iis')
  assert.equal((await run.ended).code, 1)
  assert.match(run.stderr(), /does not know "--with-iis"/)
})
