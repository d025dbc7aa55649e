import koffi from 'koffi'
import { CertloopError } from '@certloop/contract'
import { Semaphore } from './semaphore.ts'

/**
 * koffi's asynchronous calls run in the thread pool of libuv, which Node needs for files, names and keys as well.
 * A token that hangs must not take all of it: two threads are left to Node. UV_THREADPOOL_SIZE allows more calls at once.
 */
const poolThreads = Math.min(1024, Math.max(1, Number.parseInt(process.env['UV_THREADPOOL_SIZE'] ?? '4', 10) || 1))
const count = Math.max(1, poolThreads - 2)
const free = new Semaphore(count, 'threads for PKCS#11 calls')
let hanging = 0

/** @throws CertloopError PKCS11_UNAVAILABLE when none gets free in time, at once when all of them hang */
export async function acquireThread(milliseconds: number): Promise<void> {
  if (hanging >= count) throw new CertloopError('PKCS11_UNAVAILABLE', `All ${count} threads for PKCS#11 calls are held by a token that does not answer. They get free when it does; else restart Certloop.`)
  await free.acquire(milliseconds)
}

export const releaseThread = (): void => { free.release() }

/** A call did not come back in time; the function given back is called when it does. */
export function noteHanging(): () => void {
  if (hanging++ === 0) process.on('exit', leaveAtOnce)
  return () => { if (--hanging === 0) process.removeListener('exit', leaveAtOnce) }
}

/** At its end Node waits for all threads of the pool, one that hangs included: process.exit would never end. */
function leaveAtOnce(code: number): void {
  if (process.platform === 'win32') return // not tried there
  koffi.load(null).func('void _exit(int status)')(code)
}
