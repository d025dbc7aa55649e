import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './folders.ts'
import { type Archive, archiveLeftOut, unpackedArchive } from './maven.ts'
import { freePort } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { leftOut, requireTool } from './tools.ts'

/** Debian's Jetty 9.4, or one of Maven Central. */
export type JettyRelease = 'debian' | (Archive & `jetty-home-${string}`)

/** Why such a Jetty can't be had here; false when it can. */
export const jettyLeftOut = async (release: JettyRelease): Promise<string | false> => (release === 'debian' ? leftOut('jetty.sh') : archiveLeftOut(release))

/** The folder with start.jar. */
export const jettyHome = async (release: JettyRelease): Promise<string> => (release === 'debian' ? dirname(dirname(requireTool('jetty.sh'))) : unpackedArchive(release))

export interface JettyOptions {
  release: JettyRelease
  /** Default: https and ssl-reload. */
  modules?: readonly string[]
  /** Writes what the base needs besides, first of all the keystore; gives lines for start.d/tls.ini. */
  settings: (base: string) => Promise<readonly string[]>
  /** Further arguments of start.jar. */
  args?: readonly string[]
}

export interface RunningJetty {
  readonly base: string
  readonly home: string
  readonly port: number
  readonly process: TestProcess
  /** start.d/tls.ini. */
  readonly iniPath: string
}

/** Small and quick to start; the machine has other things to do. */
export const jvmOptions = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-XX:-UsePerfData', '-Xmx128m'] as const

/** A base without anything running in it. */
export async function jettyBase(t: Pick<TestContext, 'after'>, { release, modules = ['https', 'ssl-reload'], settings }: JettyOptions): Promise<Omit<RunningJetty, 'process'>> {
  const [home, base, port] = [await jettyHome(release), await tempFolder(t, 'jetty'), await freePort()]
  const iniPath = join(base, 'start.d', 'tls.ini')
  for (const name of ['start.d', 'etc', 'resources']) await mkdir(join(base, name))
  const lines = await settings(base)
  await writeFile(iniPath, ['# Kept by hand: comments stay.', ...modules.map((name) => `--module=${name}`), 'jetty.ssl.host=127.0.0.1', `jetty.ssl.port=${port}`, ...lines, ''].join('\n'))
  return { home, base, port, iniPath }
}

/** A real Jetty with a base of its own, on loopback; ready when it takes connections, killed after the test. */
export async function startJetty(t: Pick<TestContext, 'after'>, options: JettyOptions): Promise<RunningJetty> {
  for (let attempt = 1; ; attempt++) {
    const base = await jettyBase(t, options)
    const process = await startProcess(t, [requireTool('java'), ...jvmOptions, `-Djetty.home=${base.home}`, `-Djetty.base=${base.base}`, '-jar', join(base.home, 'start.jar'), ...options.args ?? []], { cwd: base.base })
    try {
      await process.waitFor(/ Started (?:@|\S*Server@)/, 60_000)
      return { ...base, process }
    } catch (error) {
      if (attempt === 3 || !process.output().includes('Address already in use')) throw new Error(`Jetty did not start: ${String(error).slice(0, 3000)}`, { cause: error })
    }
  }
}
