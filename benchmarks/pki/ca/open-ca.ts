import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase, type Database } from '../../../apps/control-plane/src/database/database.ts'
import { addressesAt } from '../../../apps/control-plane/src/local-ca/addresses.ts'
import { createLedger } from '../../../apps/control-plane/src/local-ca/ledger.ts'
import { createLocalCa, type LocalCa } from '../../../apps/control-plane/src/local-ca/local-ca.ts'
import { createSecrets } from '../../../apps/control-plane/src/secret/secrets.ts'

export interface OpenCa { database: Database; ca: LocalCa; close(): Promise<void> }
export const now = (): Date => new Date()

/** Where a CA is: its folder (ledger, and the SQLite file unless another database is named). */
export interface CaPlace { folder: string; databaseUrl?: string | undefined }

/** The built-in CA as the control plane has it: database on the disk, ledger, addresses in its certificates. */
export async function openCa({ folder, databaseUrl = `sqlite:${join(folder, 'ca.sqlite')}` }: CaPlace): Promise<OpenCa> {
  const database = await openDatabase(databaseUrl)
  const ledgerFolder = join(folder, 'ledger')
  await mkdir(ledgerFolder, { recursive: true })
  const ledger = createLedger(ledgerFolder, now)
  const secrets = await createSecrets({ database, masterKey: Buffer.alloc(32, 7), now })
  const ca = createLocalCa({ database, secrets, now, ledger, addresses: () => addressesAt('http://pki.example.com') })
  await ca.ensureHierarchy()
  return { database, ca, close: async () => { await ledger.close(); await database.close() } }
}
