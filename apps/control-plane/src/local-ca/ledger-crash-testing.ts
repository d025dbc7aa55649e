import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../database/database.ts'
import { createSecrets } from '../secret/secrets.ts'
import { serverRequest } from './ca-testing.ts'
import { createLedger } from './ledger.ts'
import { createLocalCa } from './local-ca.ts'

// A process of its own, ended by SIGKILL once the ledger has its line and before the database has the intent.
const [, , folder = '', masterKey = '', time = ''] = process.argv
const now = () => new Date(time)
await mkdir(join(folder, 'ledger'))
const database = await openDatabase(`sqlite:${join(folder, 'db.sqlite')}`)
const ledger = createLedger(join(folder, 'ledger'), now)
let isArmed = false
const ca = createLocalCa({
  database, now, secrets: await createSecrets({ database, masterKey: Buffer.from(masterKey, 'hex'), now }),
  ledger: {
    ...ledger,
    async append(entry) {
      await ledger.append(entry)
      if (isArmed) process.kill(process.pid, 'SIGKILL')
    },
  },
})
await ca.ensureHierarchy()
isArmed = true
await ca.issue(await serverRequest('killed'))
