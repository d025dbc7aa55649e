import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { newId } from '@certloop/contract'
import { freePort, tempFolder } from '@certloop/test-kit'
import { createLimits } from '../../src/hosts/limits.ts'
import type { Asked } from '../../src/proofs/proof-list.ts'
import { createProofs, type ProofDeps } from '../../src/proofs/proofs.ts'
import { listeningLogger } from '../joined-bot.ts'

export const anything = createLimits({ writePaths: null, commands: null, scripts: true })
export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')
const hourMs = 3_600_000

/** The root of a site, and a bot's data folder. */
export async function scene(t: TestContext, change: Partial<ProofDeps> = {}) {
  const folder = await realpath(await tempFolder(t, 'proofs'))
  const site = join(folder, 'site')
  await mkdir(site)
  const listPath = join(folder, 'proofs.json')
  const clock = { at: Date.parse('2026-05-01T12:00:00Z') }
  const logger = listeningLogger()
  const deps: ProofDeps = { listPath, limits: anything, holderOf: () => Promise.resolve(undefined), now: () => new Date(clock.at), logger, ...change }
  /** A bot as after a start: nothing of an earlier one is left in it. */
  const start = async (more: Partial<ProofDeps> = {}) => {
    const proofs = createProofs({ ...deps, ...more })
    t.after(() => proofs.close())
    await proofs.resume()
    return proofs
  }
  const later = (ms: number) => new Date(clock.at + ms).toISOString()
  const id = () => newId('val', new Date())
  return {
    folder, site, listPath, clock, logger, start, later,
    file: (token = 'aToken-1', content = `${token}.thumbprint`): Asked => ({ validationId: id(), expires: later(hourMs), proof: { kind: 'file', folder: site, path: `/.well-known/acme-challenge/${token}`, content } }),
    alpn: async (name = 'www.example.com', listenOn?: string): Promise<Asked> => ({
      validationId: id(), expires: later(hourMs),
      proof: { kind: 'tls-alpn', type: /^[\d.]+$|:/.test(name) ? 'ip' : 'dns', name, digest: digestOf(name), listenOn: listenOn ?? `127.0.0.1:${await freePort()}` },
    }),
    /** Everything below the site. */
    seen: async () => (await readdir(site, { recursive: true })).toSorted(),
  }
}
export const token = '.well-known/acme-challenge/aToken-1'
