import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A temporary folder that goes with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'certloop-pki-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs openssl and gives back what it printed. @throws when it fails, with its own words */
export function openssl(args: readonly string[], input?: string): string {
  return execFileSync('openssl', args, { encoding: 'utf8', input: input ?? '', stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Whether this openssl has the algorithm: ML-DSA came with version 3.5. */
export const opensslKnows = (algorithm: string): boolean => !algorithm.startsWith('ml-dsa') || /ML-DSA/i.test(openssl(['list', '-public-key-algorithms']))
