import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { watchChanges } from '@certloop/api-client'
import type { Action, CertificateId } from '@certloop/contract'
import { selfSignedPair, startNginx, writePair, type RunningNginx, type TestProcess } from '@certloop/test-kit'
import { mkdir } from 'node:fs/promises'
import { act, configureFromScan, discovered, startBot, startPlane, type Plane, type RunningBot } from '../tests/e2e/kit/plane.ts'
import type { Commit, Recording } from './parts.ts'

export interface Cleanup { after(work: () => unknown): void }
export interface Stand { plane: Plane; bot: RunningBot; nginx: RunningNginx; certificateId: CertificateId; folder: string }

const program = fileURLToPath(new URL('./measured-plane.ts', import.meta.url))

/** Control plane, bot and an nginx with one certificate, found and configured on the built-in CA. */
export async function setUp(cleanup: Cleanup, folder: string): Promise<Stand> {
  const sub = async (name: string) => {
    const path = join(folder, name)
    await mkdir(path)
    return path
  }
  const name = `bench-${process.pid}.example`
  const pair = await writePair(await sub('certificates'), 'bench', await selfSignedPair([name]))
  const nginx = await startNginx(cleanup, { prefix: await sub('nginx'), servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  const plane = await startPlane(cleanup, { program, dataFolder: await sub('plane'), env: { DATABASE_URL: '', CERTLOOP_MASTER_KEY: '' } })
  const bot = await startBot(cleanup, plane, { dataFolder: await sub('bot') })
  const found = await discovered(plane, name)
  await configureFromScan(plane, { ...found, suggestions: found.suggestions.filter(({ fields }) => fields['certificatePath'] === pair.certPath) })
  const { state, error } = await act(plane, found.id, 'initiate')
  if (state !== 'done') throw new Error(`the certificate could not be initiated: ${error?.message ?? state}`)
  return { plane, bot, nginx, certificateId: found.id, folder }
}

/** Waits for the news that actions have ended: nothing is polled beside what is measured. */
export function followActions({ client }: Plane): { ended(id: Action['id']): Promise<Action>; close(): void } {
  let ring = () => {}
  const watch = watchChanges(client, { onChange: ({ kind }) => { if (kind === 'action') ring() }, onOpen: () => { ring() } })
  return {
    close: () => { watch.close() },
    async ended(id) {
      for (let waited = 0; waited < 60; waited++) {
        const news = new Promise<void>((resolve) => { ring = resolve })
        const action = await client.call('getAction', { params: { id } })
        if (action.endedAt) return action
        let timer: NodeJS.Timeout | undefined
        await Promise.race([news, new Promise((resolve) => { timer = setTimeout(resolve, 1000) })])
        clearTimeout(timer)
      }
      throw new Error(`the action ${id} did not end within a minute`)
    },
  }
}

/** Rotates once and gathers what was recorded of it. */
export async function rotate(stand: Stand, ended: (id: Action['id']) => Promise<Action>): Promise<Recording> {
  const { plane: { client, process: planeProcess }, bot, certificateId } = stand
  // From the last commit before on: what SQLite has taken since then is told by differences.
  const [planeFrom, botFrom] = [planeProcess().stdout().lastIndexOf('moment after'), bot.process().stderr().length]
  const posted = performance.timeOrigin + performance.now()
  const { id } = await client.call('startAction', { params: { id: certificateId, action: 'rotate' }, body: {} })
  const action = await ended(id)
  if (action.state !== 'done') throw new Error(`a rotation failed: ${action.error?.message ?? action.state}`)
  const [orderId, deploymentId] = [action.orderIds[0], action.deploymentIds[0]]
  if (!orderId || !deploymentId) throw new Error('a rotation ended without order or deployment')
  const order = await client.call('getOrder', { params: { id: orderId } })
  const { deployment, timeline } = await client.call('getDeployment', { params: { id: deploymentId } })
  if (!deployment.plan) throw new Error('a deployment ended without a plan')
  return {
    posted, commits: readCommits(planeProcess(), planeFrom), begun: readBegun(bot.process(), botFrom),
    timeline: [...order.timeline, ...timeline], plan: deployment.plan, log: deployment.log,
  }
}

function readCommits(plane: TestProcess, from: number): Commit[] {
  const moments = [...plane.stdout().slice(from).matchAll(/^moment (\w+) ([\d.]+) ([\d.]+)$/gm)].map(([, which, at, sql]) => ({ which, at: Number(at), sqlMs: Number(sql) }))
  return moments.flatMap(({ which, at, sqlMs }, i) => (which === 'after' ? [{ before: moments[i - 1]?.at ?? at, after: at, sqlMs }] : []))
}

function readBegun(bot: TestProcess, from: number): Recording['begun'] {
  const lines = bot.stderr().slice(from).split('\n').filter(Boolean).map((line) => JSON.parse(line) as { time: string; message: string; kind?: string })
  const begun = (kind: string) => {
    const line = lines.find((l) => l.message === 'A task begins.' && l.kind === kind)
    if (!line) throw new Error(`the bot's log tells no beginning of "${kind}"`)
    return Date.parse(line.time)
  }
  return { makeCsr: begun('make-csr'), plan: begun('plan-deployment'), deploy: begun('deploy') }
}
