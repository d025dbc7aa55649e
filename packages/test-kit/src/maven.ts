import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify, stripVTControlCharacters } from 'node:util'
import { lastingFolder, madeOnce } from './made-once.ts'
import { findTool, requireTool } from './tools.ts'

const run = promisify(execFile)

/**
 * Servers that are published as archives on Maven Central (tar.gz, with one folder at the top). Maven gets them with
 * the machine's own settings. The digest is that of the archive, hex.
 */
export const archives = {
  'tomcat-9': { coordinates: 'org.apache.tomcat:tomcat:9.0.98', sha512: '07d87286e8ee84bb291069c596cf36233e56a14e3ecb6d65eea0fa7c7042ce5e75f5db31f210b96b6b25b80b34e626dd26c5a6ed5c052384a8587d62658b5e16' },
  'tomcat-11': { coordinates: 'org.apache.tomcat:tomcat:11.0.2', sha512: '635d0b704d47a97050e3de995d372ef361ddb7589efbc53003afd6ac692d8db4a4125ae5dcc01af9e7371e8e598c98982e2a25617179b6ba0a04406299cca544' },
  'jetty-home-10': { coordinates: 'org.eclipse.jetty:jetty-home:10.0.25', sha512: '61e066041d88b200776174d277ab0b1885c8b27494dde92c659ea4f4715edb419a49b57bda82de78ffcb04edaca58ef987db588103b4407a2825d8d047f059d2' },
  'jetty-home-11': { coordinates: 'org.eclipse.jetty:jetty-home:11.0.25', sha512: '35f4ca2d445ae71cfd1754fb6a0b5b1dfa69f333b917f2988ab0ed30b6c22d665ae7fb23f3a7d243fc84086b8715f2f5c59416b59ef78c3b1c8eaa107beb2b25' },
  'jetty-home-12': { coordinates: 'org.eclipse.jetty:jetty-home:12.0.25', sha512: 'f8f532814d9f0e9a5d1c718b9a5369125e46c12136fdbae325c495610682c9908a9e68757dd0111673f3c2c5e41ddeabd0a5872e5209ecb232ce959b6f9d6cc2' },
  wildfly: { coordinates: 'org.wildfly:wildfly-dist:36.0.1.Final', sha512: '1454812c76356abd7e102b99193137aabf20e43704d450472de94ed4aaeab11ca6e602bacddcc290de7a8562928aa6629338fd6d3a2ec8716e97edce8deaf29a' },
} as const satisfies Record<string, { coordinates: string; sha512: string }>
export type Archive = keyof typeof archives

const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
const downloadMs = 400_000
const awayMs = 600_000
const bytes = 16 << 20

/** Why Maven gave nothing. Any other error is a fault to be seen. */
class NotToBeHad extends Error {}

/**
 * The folder of an unpacked archive, e.g. a CATALINA_HOME: fetched and unpacked by the first test that needs it, shared
 * with all others and later runs. Read only: servers get a folder of their own for what they write.
 * @throws Error when it can't be had, or is another than the pinned one
 */
export async function unpackedArchive(archive: Archive): Promise<string> {
  const { coordinates, sha512 } = archives[archive]
  const folder = await madeOnce(`${archive}-${coordinates.split(':').at(-1)}`, async (making) => {
    const fetched = join(making, 'fetched')
    await mkdir(fetched)
    const file = await fetchArchive(coordinates, fetched)
    const digest = await sha512Of(file)
    if (digest !== sha512) throw new Error(`${coordinates} from Maven Central has the SHA-512 ${digest}, not the pinned one`)
    await mkdir(join(making, 'server'))
    await run('tar', ['-xzf', file, '-C', join(making, 'server'), '--strip-components=1', '--no-same-owner'], { timeout: downloadMs })
    await run('chmod', ['-R', 'a+rX,go-w', join(making, 'server')]) // some archives shut other accounts out
    await rm(fetched, { recursive: true })
  })
  return join(folder, 'server')
}

/**
 * For `test(name, { skip: await archiveLeftOut('tomcat-11') }, …)`: false when the archive is there, else the reason.
 * Also in CI a test is left out then: it must not fail because a registry is away.
 */
export async function archiveLeftOut(archive: Archive): Promise<string | false> {
  const reason = (why: string) => `${archives[archive].coordinates} can not be had from Maven Central here; this is left out, also in CI, rather than fail because a registry is away: ${why}`
  const away = lastingFolder(`maven-away-${archive}`)
  const known = await stat(away).catch(() => undefined)
  if (known !== undefined && Date.now() - known.mtimeMs < awayMs) return reason('it could not a moment ago either')
  try {
    await unpackedArchive(archive)
    return false
  } catch (error) {
    if (!(error instanceof NotToBeHad)) throw error
    // Test files to come need not wait for the same.
    await rm(away, { force: true })
    await writeFile(away, '', { flag: 'wx' }).catch(() => undefined)
    return reason(error.message)
  }
}

/** Maven checks what it downloads against the checksums beside it (-C). One call of Maven at a time: they share a folder. */
async function fetchArchive(coordinates: string, folder: string): Promise<string> {
  if (findTool('mvn') === undefined) throw new NotToBeHad('mvn is not installed (Debian package maven)')
  const argv = [requireTool('mvn'), '-B', '-q', '-C', copyGoal, `-Dartifact=${coordinates}:tar.gz`, `-DoutputDirectory=${folder}`, '-Daether.connector.connectTimeout=10000', '-Dstyle.color=never']
  try {
    await run('flock', [lastingFolder('maven-lock'), ...argv], { timeout: downloadMs, maxBuffer: bytes })
  } catch (error) {
    throw new NotToBeHad(whatMavenSaid(error), { cause: error })
  }
  const [name] = await readdir(folder)
  if (name === undefined) throw new NotToBeHad('Maven ended well and left no file')
  return join(folder, name)
}

/** Its first complaint; without addresses, as they are those of the machine's own settings. */
function whatMavenSaid(error: unknown): string {
  const { stdout = '', message } = error as { stdout?: string; message: string }
  const line = /\[ERROR\] (.*\S.*)/.exec(stripVTControlCharacters(stdout))?.[1] ?? message
  return line.replaceAll(/https?:\/\/[^\s)]+/g, '(address)').slice(0, 300)
}

async function sha512Of(file: string): Promise<string> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
