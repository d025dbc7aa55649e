// npm run demo: the whole loop on a real nginx of the demo's own, told step by step. `-- --without-nginx` shows what goes without.
import { randomBytes } from 'node:crypto'
import { nginxPath, tools } from '../packages/test-kit/src/index.ts'
import type { Plane } from '../tests/e2e/kit/plane.ts'
import { Disappointed } from './demo/expect.ts'
import { showLoop } from './demo/loop.ts'
import { createNarrator, duration, type Narrator } from './demo/narrator.ts'
import { openScene, type Scene } from './demo/scene.ts'
import { commonName } from './demo/sight.ts'
import { startDemoPlane } from './demo/start.ts'
import { showWithoutNginx } from './demo/without-nginx.ts'

const help = `Usage: npm run demo [-- --without-nginx]
Shows the loop of Certloop on this machine: find, issue, deploy, prove, renew,
roll back. Uses loopback and a temporary folder, which is removed at the end.
  --without-nginx   show only what goes without nginx, even where there is one
`

const startMs = performance.now()

async function show(scene: Scene, narrator: Narrator, withNginx: boolean): Promise<void> {
  const name = `shop-${randomBytes(2).toString('hex')}.example`
  narrator.headline(`Certloop: find, issue, deploy, prove, renew and roll back${withNginx ? ', on a real nginx' : ''}`)
  narrator.tell(`Everything happens on loopback and in ${scene.folder} ("…" below), and is removed at the end. Certificates are told apart by the first digits of their SHA-256 fingerprint; what is served, the demo reads by a handshake of its own.`)
  if (!withNginx) narrator.tell(`nginx is not used here${nginxPath() === undefined ? ` because it is not installed (Debian package ${tools.nginx.package})` : ', as asked'}, so only a part of the loop can be shown.`)
  const plane = await narrator.step('A control plane starts', () => startAndTell(scene, narrator))
  try {
    await (withNginx ? showLoop : showWithoutNginx)(scene, narrator, [name, `www.${name}`], plane)
  } catch (error) {
    tellLastWords(plane)
    throw error
  }
  narrator.headline(`Done in ${duration(performance.now() - startMs)}. What to do next:`)
  narrator.entry('npm start               ', 'run Certloop on this machine and keep what it does')
  narrator.entry('npm run certloop -- help', 'the command line')
  narrator.entry('docs/lifecycle.md       ', 'the cycle you have just seen, step by step')
}

async function startAndTell(scene: Scene, narrator: Narrator): Promise<Plane> {
  const plane = await startDemoPlane(scene)
  const [authority] = (await plane.client.call('listAuthorities')).items
  narrator.tell(`On SQLite, at ${plane.url}. At its first start it made its own CA:`)
  narrator.entry('issuing CA', commonName(authority?.issuerSubject ?? 'none'))
  return plane
}

function tellLastWords(plane: Plane): void {
  const words = plane.process().stderr().trim()
  if (words !== '') process.stderr.write(`\nThe control plane said:\n${words.split('\n').slice(-10).join('\n')}\n`)
}

/** Stops and removes everything at a signal, then ends by it. @returns whether that has begun */
function stopAtSignals(scene: Scene): () => boolean {
  let stopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) return
    stopping = true
    process.stderr.write('\ncertloop: the demo stops and removes everything.\n')
    await scene.close().catch((error: unknown) => { process.stderr.write(`certloop: not everything could be removed: ${String(error)}\n`) })
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  return () => stopping
}

/** @returns the exit code */
async function run(withNginx: boolean): Promise<number> {
  const scene = await openScene()
  const isStopping = stopAtSignals(scene)
  // The one text that tells the folder has to tell it whole.
  const narrator = createNarrator((text) => (text.includes(`${scene.folder} (`) ? text : text.replaceAll(scene.folder, '…')))
  let code = 0
  try {
    await show(scene, narrator, withNginx)
  } catch (error) {
    if (!isStopping()) narrator.failure(error instanceof Disappointed ? `It did not go as it has to: ${error.message}` : `The demo broke off: ${error instanceof Error ? error.message : String(error)}`)
    code = 1
  }
  await scene.close()
  // What a stopped demo was waiting for fails as well; the signal ends it.
  return isStopping() ? new Promise<never>(() => {}) : code
}

async function main(args: readonly string[]): Promise<number> {
  const [option, ...rest] = args
  if (option === '--help' || option === '-h') {
    process.stdout.write(help)
    return 0
  }
  if (rest.length > 0 || (option !== undefined && option !== '--without-nginx')) {
    process.stderr.write(`certloop: the demo does not know "${args.join(' ')}".\n${help}`)
    return 1
  }
  return run(option === undefined && nginxPath() !== undefined)
}

process.exit(await main(process.argv.slice(2)))
