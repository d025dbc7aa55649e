import type { DetectedSlot } from '@certloop/contract'
import { type RunningHaproxy, selfSignedPair, type TestPair } from '@certloop/test-kit'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { detect, slotOf, uniqueName } from '../kit/kit.ts'

export const pairOf = (...names: string[]): Promise<TestPair> => selfSignedPair(names.length > 0 ? names : [uniqueName()])

/** Certificate and key in one file, in the order of the letters. */
export async function combined(file: string, { certPem, keyPem }: Pick<TestPair, 'certPem' | 'keyPem'>, order: 'ck' | 'kc' = 'ck'): Promise<string> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, order === 'ck' ? certPem + keyPem : keyPem + certPem)
  await chmod(file, 0o600)
  return file
}

/** A frontend that speaks TLS, with a backend that nobody needs. */
export const frontend = (name: string, port: number | undefined, words: string, address = '127.0.0.1'): string =>
  `frontend ${name}\n  bind ${address}:${port} ssl ${words}\n  mode http\n  http-request return status 200 content-type text/plain string "hello"\n\n`

export const slotAt = async (haproxy: RunningHaproxy, name: string): Promise<DetectedSlot> => slotOf(await detect('haproxy', haproxy.configPath), name)
