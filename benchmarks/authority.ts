import { createPrivateKey, randomBytes, sign } from 'node:crypto'
import { join } from 'node:path'
import { createCsr, generateKey } from '@certloop/pki'
import { openDatabase } from '../apps/control-plane/src/database/database.ts'
import { createLocalCa } from '../apps/control-plane/src/local-ca/local-ca.ts'
import { createSecrets } from '../apps/control-plane/src/secret/secrets.ts'
import { median } from './statistics.ts'

/** issueMs: median for one certificate at a time. Rates per second with 8 at a time; signRate: bare signatures with the same kind of key, as many at a time. */
export interface AuthorityFigures { issueMs: number; signMs: number; issueRate: number; signRate: number }

const atOnce = 8
const times = 200

/** The built-in CA on its own SQLite file, with the same settings as in the control plane, beside bare signatures. */
export async function measureAuthority(folder: string): Promise<AuthorityFigures> {
  const now = () => new Date()
  const database = await openDatabase(`sqlite:${join(folder, 'authority.sqlite')}`)
  try {
    const localCa = createLocalCa({ database, secrets: await createSecrets({ database, masterKey: randomBytes(32), now }), now })
    await localCa.ensureHierarchy()
    const names = ['bench.example']
    const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names })
    const issue = (i: number) => localCa.issue({ reference: `bench ${i}`, csrPem, names, commonName: null, validityDays: null, profile: 'server' })
    const key = createPrivateKey(await generateKey('ec-256'))
    const toSign = randomBytes(700)
    const bare = () => new Promise<void>((resolve, reject) => { sign('sha256', toSign, key, (error) => { if (error) reject(error); else resolve() }) })
    const issues = await oneByOne(50, issue)
    const signs = await oneByOne(50, bare)
    return { issueMs: median(issues), signMs: median(signs), issueRate: await rate((i) => issue(1000 + i)), signRate: await rate(bare) }
  } finally {
    await database.close()
  }
}

async function oneByOne(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    await work(i)
    all.push(performance.now() - start)
  }
  return all
}

async function rate(work: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => { while (next < times) await work(next++) }))
  return times / (performance.now() - start) * 1000
}
