import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nginxTempPaths, startNginx, startProcess, type RunningNginx, type TestProcess } from '../../packages/test-kit/src/index.ts'
import { startPlane, type Plane } from '../../tests/e2e/kit/plane.ts'
import { makeOldCertificate } from './old-certificate.ts'
import { stopPolitely, type Scene } from './scene.ts'

const botMain = fileURLToPath(new URL('../../apps/bot/src/main.ts', import.meta.url))

/** A control plane as `npm start` runs it, on SQLite and a free port; its bot is started apart. */
export async function startDemoPlane(scene: Scene): Promise<Plane> {
  const planes: Plane[] = []
  scene.after(() => Promise.all(planes.map((plane) => stopPolitely(plane.process()))))
  // Neither another database nor another key than those of the demo's folder.
  const own = { DATABASE_URL: '', CERTLOOP_MASTER_KEY: '', CERTLOOP_HOST: '127.0.0.1', CERTLOOP_PUBLIC_URL: '' }
  const plane = await startPlane(scene, { dataFolder: await subfolder(scene, 'control-plane'), env: own })
  planes.push(plane)
  return plane
}

/** A bot that may write the demo's certificate folder alone: other servers of this machine are safe from it. */
export async function startDemoBot(scene: Scene, { client }: Plane, server: DemoServer): Promise<TestProcess> {
  const dataFolder = await subfolder(scene, 'bot')
  const limits = `[limits]\nwrite_paths = ${JSON.stringify([server.certificateFolder])}\ncommands = ${JSON.stringify([server.nginx.program])}\n`
  await writeFile(join(dataFolder, 'bot.toml'), limits, { mode: 0o600 })
  const { joinToken } = await client.call('createBot', { body: { name: 'demo bot' } })
  const joining = await startProcess(scene, [process.execPath, botMain, 'join', joinToken, '--data', dataFolder])
  if ((await joining.ended).code !== 0) throw new Error(`the bot could not join: ${joining.output()}`)
  const bots: TestProcess[] = []
  scene.after(() => Promise.all(bots.map(stopPolitely)))
  const bot = await startProcess(scene, [process.execPath, botMain, 'run', '--data', dataFolder])
  bots.push(bot)
  return bot
}

export interface DemoServer { readonly nginx: RunningNginx; readonly port: number; readonly names: readonly [string, string]; readonly certificateFolder: string; readonly certificatePath: string; readonly keyPath: string }

/**
 * A real nginx on loopback that serves a certificate made by hand. Security level 3 asks for keys of 128 bits of
 * strength, which an RSA key of 2048 bits has not: that is what the last step fails by.
 */
export async function startDemoNginx(scene: Scene, names: readonly [string, string]): Promise<DemoServer> {
  const certificateFolder = await subfolder(scene, 'certificates')
  const [certificatePath, keyPath] = [join(certificateFolder, 'shop.crt'), join(certificateFolder, 'shop.key')]
  const { certPem, keyPem } = await makeOldCertificate(names)
  await writeFile(certificatePath, certPem, { mode: 0o644 })
  await writeFile(keyPath, keyPem, { mode: 0o600 })
  const nginx = await startNginx(scene, {
    prefix: await subfolder(scene, 'nginx'),
    configuration: ({ prefix, ports }) => `http {
${nginxTempPaths(prefix)}  ssl_ciphers HIGH:@SECLEVEL=3;
  server {
    listen 127.0.0.1:${ports[0]} ssl;
    server_name ${names.join(' ')};
    ssl_certificate ${certificatePath};
    ssl_certificate_key ${keyPath};
    return 200 "hello";
  }
}
`,
  })
  return { nginx, port: nginx.ports[0] ?? 0, names, certificateFolder, certificatePath, keyPath }
}

async function subfolder({ folder }: Scene, name: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path, { mode: 0o700 })
  return path
}
