import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '../run.ts'
import type { World } from '../world.ts'

/** One run in this process; nobody listens at its address, so what is sent ends otherwise than with 2. */
async function runHere(words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  const world = {
    env: { CERTLOOP_URL: 'http://127.0.0.1:9', CERTLOOP_TOKEN: 'clt_x' }, home: '/nonexistent', zone: 'UTC', now: () => new Date(0), canAsk: false, outIsTerminal: false, errIsTerminal: false,
    out: (text: string) => { said.stdout += text }, err: (text: string) => { said.stderr += text },
  } as unknown as World
  return { code: await run(words, world, async () => ''), ...said }
}

test('words that do not fit many certificates are refused before anything is sent', async () => {
  const cases: readonly [string[], RegExp][] = [
    [['batch', 'start', 'roate', 'x'], /A batch does one of .*Did you mean "rotate"\?/],
    [['batch', 'start', 'rotate'], /Say which certificates[^]*All of them: --search ""/],
    [['batch', 'start', 'rotate', 'x', '--search', 'y'], /not both/],
    [['batch', 'start', 'rotate', 'x', '--wait'], /no option --wait\. Did you mean --follow\?/],
    [['certificate', 'rotate', 'x', '--follow'], /no option --follow\. Did you mean --wait\?/],
    [['batch', 'start', 'rotate', 'x', '--at-a-time', '0'], /--at-a-time takes a whole number from 1 to 1000/],
    [['batch', 'start', 'rotate', 'x', '--reason', 'superseded'], /--reason goes with revoke/],
    [['batch', 'show', 'last'], /its id or "newest"/],
    [['bulk', 'preview', '--search', 'x'], /Say what is to be changed/],
    [['bulk', 'preview', '--search', 'x', '--deploy', 'tomorrow'], /takes immediately, "at 2027-03-31 22:00"/],
    [['freeze', 'add', 'x', '--from', '2027-02-30', '--to', '2027-03-01'], /there is no day 2027-02-30/],
    [['freeze', 'add', 'x'], /--from and --to/],
    [['template', 'create', 'x', '--subject', 'CN=y'], /The common name is no part of --subject/],
    [['template', 'create', 'x', '--key-usage', 'signing'], /takes digitalSignature/],
  ]
  for (const [words, expected] of cases) {
    const { code, stdout, stderr } = await runHere(words)
    assert.equal(code, 2, `${words.join(' ')}: ${stderr}`)
    assert.match(stderr, expected)
    assert.equal(stdout, '')
  }
})
