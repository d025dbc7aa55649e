import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { createCsr, generateKey } from '../../packages/pki/src/index.ts'
import { configurationFor, ended, type Plane } from '../../tests/e2e/kit/plane.ts'
import { expect } from './expect.ts'
import type { Narrator } from './narrator.ts'
import { makeOldCertificate } from './old-certificate.ts'
import type { Scene } from './scene.ts'
import { commonName, compareSights, look, short, showSight } from './sight.ts'

/** The part of the loop that goes without nginx: order with an uploaded request, installation by hand, proof by handshake. */
export async function showWithoutNginx(scene: Scene, narrator: Narrator, names: readonly [string, string], plane: Plane): Promise<void> {
  const server = await narrator.step('A small TLS server of the demo\'s own, with an old certificate', () => serveOld(scene, narrator, names))
  const issued = await narrator.step('Order: the built-in CA answers an uploaded request', () => orderUploaded(narrator, names, plane))
  await narrator.step('Install by hand and prove by a handshake', async () => {
    const before = await look(server.port, names[0])
    server.use(issued.chainPem, issued.keyPem)
    const after = await look(server.port, names[0], issued.rootPem)
    compareSights(narrator, before, after)
    expect(after.fingerprint === issued.fingerprint, `The new certificate ${issued.fingerprint} should be served, but the handshake shows ${after.fingerprint}.`)
    expect(after.trusted, 'The chain that is served should lead to the root of the built-in CA, but it does not.')
    narrator.tell('The chain leads to the root of the built-in CA.')
  })
  narrator.headline('Left out, because it needs nginx:')
  narrator.tell('finding the server, pre-filled deployment details, plan and deployment, rotation in one go, and the rollback of a rotation that fails.')
  narrator.tell('To see all of it, install nginx and run the demo again, on Debian and Ubuntu with: sudo apt-get install nginx-light. The demo starts an nginx of its own; the system\'s need not run.')
}

interface SmallServer { readonly port: number; use(chainPem: readonly string[], keyPem: string): void }

async function serveOld(scene: Scene, narrator: Narrator, names: readonly [string, string]): Promise<SmallServer> {
  const old = await makeOldCertificate(names)
  const server = createServer({ cert: old.certPem, key: old.keyPem }, (socket) => { socket.end() }).listen(0, '127.0.0.1')
  scene.after(() => { server.close() })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  narrator.tell(`It serves ${names[0]} on 127.0.0.1:${port}.`)
  showSight(narrator, await look(port, names[0]))
  return { port, use: (chainPem, keyPem) => { server.setSecureContext({ cert: chainPem.join(''), key: keyPem }) } }
}

interface Issued { fingerprint: string; chainPem: readonly string[]; rootPem: string; keyPem: string }

async function orderUploaded(narrator: Narrator, names: readonly [string, string], plane: Plane): Promise<Issued> {
  const keyPem = await generateKey('ec-256')
  const csrPem = await createCsr({ privateKeyPem: keyPem, commonName: null, names })
  const { id } = await plane.client.call('createCertificate', { body: { names: [...names] } })
  await plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, []) })
  const { id: actionId } = await plane.client.call('startAction', { params: { id, action: 'order' }, body: { csrPem } })
  const action = await ended(plane, actionId)
  expect(action.state === 'done', `The order should be complete but is ${action.state}: ${action.error?.message ?? action.reason}`)
  const { versions: [version], status } = await plane.client.call('getCertificate', { params: { id } })
  expect(version !== undefined && status === 'issued', `After the order the status should be "issued" but is "${status}".`)
  const [authority] = (await plane.client.call('listAuthorities')).items
  narrator.tell('The demo made the key itself and sent the request alone.')
  narrator.entry('issued', `${short(version.fingerprint)} ${version.keyAlgorithm}, ${commonName(version.issuer)}`, 'green')
  return { fingerprint: version.fingerprint, chainPem: version.chainPem, rootPem: authority?.chainPem.at(-1) ?? '', keyPem }
}
