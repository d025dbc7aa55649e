import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './folders.ts'
import { runProcess } from './process.ts'
import { requireTool } from './tools.ts'

export interface SoftHsm {
  readonly modulePath: string
  /** What SOFTHSM2_CONF has to name in every process that loads the module, before it does. */
  readonly configPath: string
  readonly env: { SOFTHSM2_CONF: string }
  /** Where the tokens are, one folder each. */
  readonly tokenFolder: string
  /** Makes a further token. */
  addToken(label: string, pin: string): Promise<void>
  /** softhsm2-util with our configuration; gives back what it printed. @throws Error when it fails */
  util(...args: string[]): Promise<string>
  /** pkcs11-tool (Debian package opensc) on our module. @throws Error when it fails */
  pkcs11Tool(...args: string[]): Promise<string>
}

/**
 * SoftHSM2 with its own configuration and one token in a temporary folder. The calling process is not changed: set
 * process.env.SOFTHSM2_CONF to configPath before the module is loaded here, or give `env` to child processes.
 * @throws Error when SoftHSM2 is not installed
 */
export async function createSoftHsm(t: Pick<TestContext, 'after'>, { label, pin }: { label: string; pin: string }): Promise<SoftHsm> {
  const folder = await tempFolder(t, 'softhsm')
  const tokenFolder = join(folder, 'tokens')
  const configPath = join(folder, 'softhsm2.conf')
  await mkdir(tokenFolder)
  await writeFile(configPath, `directories.tokendir = ${tokenFolder}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`)
  const modulePath = requireTool('libsofthsm2.so')
  const env = { SOFTHSM2_CONF: configPath }
  async function run(argv: readonly [string, ...string[]]): Promise<string> {
    const { code, stdout, stderr } = await runProcess(t, argv, { env })
    if (code !== 0) throw new Error(`${argv[0]} ended with ${code}:\n${stdout}${stderr}`)
    return stdout + stderr
  }
  const util = (...args: string[]) => run([requireTool('softhsm2-util'), ...args])
  const addToken = async (name: string, userPin: string) => { await util('--init-token', '--free', '--label', name, '--pin', userPin, '--so-pin', '12345678') }
  await addToken(label, pin)
  return { modulePath, configPath, env, tokenFolder, addToken, util, pkcs11Tool: (...args) => run([requireTool('pkcs11-tool'), '--module', modulePath, ...args]) }
}
