import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import type { TestContext } from 'node:test'
import { deployed, type Scene, standing } from './conformance-scene.ts'
import type { ConformancePair } from './conformance-subject.ts'

interface Needle { what: string; bytes: Buffer }

/** A password in all the forms it could be written in; of a key, the private number and a line of its PEM. */
function needlesOf({ subject: { secrets = [], pairs } }: Scene): Needle[] {
  const forms = (secret: string) => [secret, JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex'), encodeURIComponent(secret)]
  return [
    ...secrets.flatMap((secret, index) => [...new Set(forms(secret))].map((form) => ({ what: `secret ${index + 1}`, bytes: Buffer.from(form) }))),
    ...pairs.flatMap((pair, index) => keyNeedles(pair).map((bytes) => ({ what: `the private key of pair ${index + 1}`, bytes }))),
  ]
}

function keyNeedles({ keyPem }: ConformancePair): Buffer[] {
  const { d = '' } = createPrivateKey(keyPem).export({ format: 'jwk' })
  const line = keyPem.split('\n').find((text) => /^[A-Za-z0-9+/]{64}$/.test(text)) ?? ''
  assert.ok(d !== '' && line !== '')
  return [Buffer.from(d, 'base64url'), Buffer.from(line)]
}

/** Looks through everything that all these deployments said, ran and kept. */
export async function secretTests(t: TestContext, scene: Scene): Promise<void> {
  const needles = needlesOf(scene)
  const assertNone = (bytes: Buffer, where: string) => {
    for (const needle of needles) assert.ok(!bytes.includes(needle.bytes), `${needle.what} is in ${where}`)
  }
  await t.test('secrets and private keys: not in plans, results, messages and logs', async () => {
    await deployed(await scene.engine(), scene.fields, (await standing(scene)).other)
    for (const said of scene.said) assertNone(Buffer.from(JSON.stringify(said) ?? ''), `what is told: ${JSON.stringify(said)?.slice(0, 200)}`)
    for (const { heard } of scene.engines) for (const entry of heard.log) assertNone(Buffer.from(JSON.stringify(entry)), `the log: ${entry.message}`)
  })
  await t.test('secrets and private keys: not in arguments and environments of commands', () => {
    const ran = scene.engines.flatMap(({ heard }) => heard.ran)
    for (const { argv, environment } of ran) assertNone(Buffer.from([...argv, ...Object.values(environment)].join('\0')), `a call of ${argv[0]}`)
  })
  await t.test('secrets and private keys: not in the clear in the folder of the engine', async () => {
    let files = 0
    for (const engine of scene.engines) {
      for (const [path, bytes] of await engine.stored()) {
        files++
        assertNone(Buffer.from(bytes), path)
      }
    }
    assert.ok(files > 0, 'nothing was looked through')
  })
}
