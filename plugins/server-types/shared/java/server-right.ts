import { type Account, CertloopError, type Step } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { checkKeystoreRight, type OpenKeystore } from '../keystore/keystore-place.ts'
import { groupsOf } from '../pem-files/groups.ts'
import type { JavaProcess } from './process.ts'

/**
 * The account of a server can read the keystore, through its further groups too; and it still can when one of the steps
 * has started the server again: what the bot runs as another account has the own group of that account alone.
 * @throws CertloopError PLAN_FAILED
 */
export async function checkServerRight(host: Host, keystore: OpenKeystore, product: string, { runAs, process: { pid } }: JavaProcess, steps: readonly Step[]): Promise<void> {
  if (runAs === undefined) return
  checkKeystoreRight(keystore, product, runAs, await groupsOf(host, pid))
  const startedAs = steps.some((step) => step.kind === 'reload-service' && step.start !== undefined && step.runAs !== undefined)
  if (startedAs && !readsWithoutGroups(keystore, runAs)) {
    throw new CertloopError('PLAN_FAILED', `${product} can read ${keystore.realPath} only through a further group of its account, which a start by the bot as that account would lose: it would stay down. Choose "Restart as: the account of the bot" with a command that gives ${product} all its groups, or another way to take up the certificate.`, { path: keystore.realPath })
  }
}

const readsWithoutGroups = ({ facts }: OpenKeystore, { uid, gid }: Account) => facts.uid === uid || facts.gid === gid || (facts.mode & 4) !== 0
