import type { CertificateDetail, ConfigurationInput, DeploymentDetail, DeployLogEntry, TargetInput } from '@certloop/contract'
import { eventually } from '../../packages/test-kit/src/index.ts'
import { act, configurationFor, discovered, ended, type Plane } from '../../tests/e2e/kit/plane.ts'
import { expect } from './expect.ts'
import type { Narrator } from './narrator.ts'
import type { Scene } from './scene.ts'
import { commonName, compareSights, look, short, showSight, type Sight } from './sight.ts'
import { startDemoBot, startDemoNginx, type DemoServer } from './start.ts'

/** What the steps hand on to each other. */
interface Stage { plane: Plane; server: DemoServer; narrator: Narrator; see: () => Promise<Sight> }
type Found = { certificate: CertificateDetail; targets: TargetInput[] }

/** The whole loop on a real nginx of the demo's own. @throws Disappointed when something comes out otherwise */
export async function showLoop(scene: Scene, narrator: Narrator, names: readonly [string, string], plane: Plane): Promise<void> {
  const server = await narrator.step('A server with an old certificate', () => serveOld(scene, narrator, names))
  const stage: Stage = { plane, server, narrator, see: () => look(server.port, names[0]) }
  const certificate = await narrator.step('Find: a bot joins and scans this machine', () => find(scene, stage))
  const found = await narrator.step('The deployment details are there already', () => configure(stage, certificate))
  await narrator.step('Initiate: the bot looks at the place; nothing is replaced', () => initiate(stage, found))
  await narrator.step('Order: a new key and certificate; nothing is deployed yet', () => order(stage, found))
  await narrator.step('Deploy: plan, approval, installation, proof', () => deploy(stage, found))
  await narrator.step('Rotate: new key, new certificate, deployed, in one go', () => rotate(stage, found))
  await narrator.step('Roll back: a rotation that the server refuses', () => rollBack(stage, found))
}

async function serveOld(scene: Scene, narrator: Narrator, names: readonly [string, string]): Promise<DemoServer> {
  const server = await startDemoNginx(scene, names)
  narrator.tell(`A real nginx serves https://${names[0]}:${server.port} (on 127.0.0.1) with a certificate that somebody once made by hand.`)
  showSight(narrator, await look(server.port, names[0]))
  return server
}

async function find(scene: Scene, { plane, server, narrator, see }: Stage): Promise<CertificateDetail> {
  const bot = await startDemoBot(scene, plane, server)
  narrator.tell('The bot got a one-time token, joined, and looks for servers that run now. Its bot.toml lets it write nothing but the demo\'s own certificate folder, so other servers of this machine are safe from it.')
  const certificate = await discovered(plane, server.names[0]).catch((error: unknown) => { throw new Error(`the scan did not find the certificate. The bot said:\n${bot.output().trim()}`, { cause: error }) })
  const [installation] = certificate.installations
  const { fingerprint } = await see()
  expect(certificate.fingerprint === fingerprint, `The scan found ${certificate.fingerprint}, but the handshake shows ${fingerprint}.`)
  expect(certificate.status === 'discovered', `The found certificate should be "discovered" but is "${certificate.status}".`)
  narrator.entry('found', `${certificate.name}, ${short(fingerprint)}`, 'green')
  narrator.entry('status', `${certificate.status}: ${certificate.statusReason}`)
  narrator.entry('installed in', `${installation?.title ?? 'no place'}, ${installation?.state ?? 'not seen'}`)
  return certificate
}

const shownFields: Record<string, string> = { certificatePath: 'certificate', keyPath: 'key', configurationPath: 'configuration', prefix: 'prefix' }

async function configure({ plane, server, narrator }: Stage, certificate: CertificateDetail): Promise<Found> {
  // Somebody else's nginx on this machine could serve the same name: only our own place is accepted.
  const suggestions = certificate.suggestions.filter(({ fields }) => fields['certificatePath'] === server.certificatePath)
  expect(suggestions.length === 1, `One place should be suggested for ${server.certificatePath}; there are ${suggestions.length}.`)
  const targets = suggestions.map(({ botId, serverType, fields }): TargetInput => ({ botId, serverType, fields }))
  for (const [name, value] of Object.entries(targets[0]?.fields ?? {})) narrator.entry(shownFields[name] ?? name, String(value))
  const found = { certificate, targets }
  const { status } = await save(plane, found, { approval: 'manual' })
  expect(status === 'configured', `After saving, the status should be "configured" but is "${status}".`)
  narrator.tell('Accepted as they are, with the built-in CA, renewal 30 days before the end, and rollback. Plans are to be approved by a person, for now.')
  return found
}

async function save(plane: Plane, { certificate: { id }, targets }: Found, changes: Partial<ConfigurationInput>): Promise<CertificateDetail> {
  return plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, targets, changes) })
}

const read = (plane: Plane, { certificate: { id } }: Found) => plane.client.call('getCertificate', { params: { id } })

async function initiate({ plane, narrator, see }: Stage, found: Found): Promise<void> {
  const before = await see()
  const action = await act(plane, found.certificate.id, 'initiate')
  expect(action.state === 'done', `"initiate" should be done but is ${action.state}: ${action.error?.message ?? action.reason}`)
  narrator.tell(action.reason ?? '')
  const after = await see()
  compareSights(narrator, before, after)
  expect(after.fingerprint === before.fingerprint, 'Initiating should replace nothing, but something else is served.')
}

async function order({ plane, narrator, see }: Stage, found: Found): Promise<void> {
  const before = await see()
  const action = await act(plane, found.certificate.id, 'order')
  expect(action.state === 'done', `The order should be complete but is ${action.state}: ${action.error?.message ?? action.reason}`)
  const { status, fingerprint, issuer, versions } = await read(plane, found)
  expect(status === 'issued', `After the order the status should be "issued" but is "${status}".`)
  narrator.tell('The bot made the key on this host, where it stays; only the request went to the CA.')
  narrator.entry('issued', `${short(fingerprint ?? '')} ${versions[0]?.keyAlgorithm ?? ''}, ${commonName(issuer ?? '')}`, 'green')
  const after = await see()
  compareSights(narrator, before, after)
  expect(after.fingerprint === before.fingerprint, 'Ordering should deploy nothing, but something else is served.')
}

async function deploy({ plane, narrator, see }: Stage, found: Found): Promise<void> {
  const before = await see()
  const started = await plane.client.call('startAction', { params: { id: found.certificate.id, action: 'deploy' }, body: {} })
  const planned = await eventually(async () => {
    const { deploymentIds: [id] } = await plane.client.call('getAction', { params: { id: started.id } })
    const deployment = id && (await plane.client.call('getDeployment', { params: { id } })).deployment
    return deployment && deployment.state !== 'planning' ? deployment : undefined
  }, { what: 'the plan of the deployment', timeoutMs: 60_000 })
  expect(planned.state === 'planned' && planned.plan !== null, `The deployment should wait for approval but is ${planned.state}: ${planned.error?.message ?? planned.reason}`)
  narrator.tell('The plan, before anything is touched:')
  planned.planSteps.forEach((step, i) => { narrator.item(String(i + 1), step) })
  await plane.client.call('approveDeployment', { params: { id: planned.id }, body: { digest: planned.plan.digest } })
  narrator.tell(`Approved, with its digest ${short(planned.plan.digest)}: any other plan would be refused.`)
  const action = await ended(plane, started.id)
  const { deployment } = await plane.client.call('getDeployment', { params: { id: planned.id } })
  tellLog(narrator, deployment)
  expect(action.state === 'done' && deployment.state === 'deployed', `The deployment should be deployed but is ${deployment.state}: ${deployment.error?.message ?? deployment.reason}`)
  await expectServed({ plane, narrator, see }, found, before)
}

/** How a line of the log begins; phases that are not here are the bot's housekeeping. */
const marks: Partial<Record<DeployLogEntry['phase'], { good: string; bad: string }>> = {
  plan: { good: '✔', bad: '✖' }, do: { good: '✔', bad: '✖' }, prove: { good: '✔', bad: '✖' }, undo: { good: '↩', bad: '✖' }, commit: { good: '✔', bad: '↩' },
}

/** One line for each step that was carried out, as the bot told it. */
function tellLog(narrator: Narrator, { log, planSteps }: DeploymentDetail): void {
  narrator.tell('What the bot did:')
  for (const entry of log) {
    const { phase, step, ok, message, durationMs } = entry
    const mark = phase === 'backup' && step === null ? marks.plan : marks[phase]
    if (mark === undefined) continue
    if (step !== null && phase !== 'undo') tellStep(narrator, entry, planSteps[step] ?? message)
    else narrator.item(ok ? mark.good : mark.bad, message, durationMs)
  }
}

/** Where a step failed, the server's own words follow. */
function tellStep(narrator: Narrator, { ok, message, output, durationMs }: DeployLogEntry, step: string): void {
  narrator.item(ok ? '✔' : '✖', step, durationMs)
  if (!ok) narrator.item(' ', output?.split('\n').find((line) => line.includes('[emerg]')) ?? message)
}

/** The current version is served, by the demo's own handshake, and differs from before. */
async function expectServed({ plane, narrator, see }: Omit<Stage, 'server'>, found: Found, before: Sight): Promise<void> {
  const after = await see()
  compareSights(narrator, before, after)
  const { status, fingerprint } = await read(plane, found)
  narrator.entry('status', status, 'green')
  expect(after.fingerprint === fingerprint && after.fingerprint !== before.fingerprint, `The new certificate ${fingerprint} should be served, but the handshake shows ${after.fingerprint}.`)
  expect(status === 'deployed', `The status should be "deployed" but is "${status}".`)
}

async function rotate(stage: Stage, found: Found): Promise<void> {
  const { plane, narrator, see } = stage
  await save(plane, found, { approval: 'automatic' })
  const before = await see()
  const start = performance.now()
  const action = await act(plane, found.certificate.id, 'rotate')
  const ms = Math.round(performance.now() - start)
  expect(action.state === 'done', `The rotation should be done but is ${action.state}: ${action.error?.message ?? action.reason}`)
  narrator.tell(`This is what a renewal does every time. From the wish to the proof: ${ms} ms.`)
  await expectServed(stage, found, before)
}

async function rollBack({ plane, server, narrator, see }: Stage, found: Found): Promise<void> {
  narrator.tell('This nginx insists on strong keys (ssl_ciphers …@SECLEVEL=3). The next rotation asks for an RSA key of 2048 bits, which its configuration test refuses.')
  await save(plane, found, { approval: 'automatic', csr: { commonName: null, names: [], keyAlgorithm: 'rsa-2048', keyReuse: false, validityDays: null } })
  const before = await see()
  const action = await act(plane, found.certificate.id, 'rotate')
  const [id] = action.deploymentIds
  expect(action.state === 'failed' && id !== undefined, `This rotation should fail at its deployment but is ${action.state}: ${action.error?.message ?? action.reason}`)
  const { deployment } = await plane.client.call('getDeployment', { params: { id } })
  tellLog(narrator, deployment)
  expect(deployment.state === 'rolled-back' && deployment.error?.code === 'CONFIG_TEST_FAILED', `The deployment should be rolled back for CONFIG_TEST_FAILED but is ${deployment.state}: ${deployment.error?.code} ${deployment.error?.message ?? ''}`)
  const after = await see()
  compareSights(narrator, before, after)
  expect(after.fingerprint === before.fingerprint, 'The previous certificate should still be served, but another one is.')
  const test = await server.nginx.testConfiguration()
  expect(test.code === 0, `nginx -t should pass after the rollback: ${test.stderr}`)
  const { status, statusReason } = await read(plane, found)
  expect(status === 'rolled-back', `The status should be "rolled-back" but is "${status}".`)
  narrator.entry('status', `${status}: ${statusReason}`, 'green')
  narrator.tell('nginx -t passes, the files are the previous ones, and nobody was left without a certificate.')
}
