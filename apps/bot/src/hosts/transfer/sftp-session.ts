import { CertloopError, type SftpReach, type SshReach, type TargetSecrets } from '@certloop/contract'
import type { SFTPWrapper } from 'ssh2'
import type { Limits } from '../limits.ts'
import type { Connection } from '../ssh/connection.ts'
import type { SshPool } from '../ssh/pool.ts'

/** Names of the status codes: draft-ietf-secsh-filexfer-02, section 7. */
export const sftpStatus = { noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const

const callMs = 30_000

export type Callback<T> = (error: (Error & { code?: number | string }) | null | undefined, value: T) => void

export interface SftpSession {
  /** One call of the protocol, in the way of Node's callbacks. @throws Error with `code`, one of `sftpStatus`; CertloopError HOST_UNREACHABLE when there is no answer */
  call<T = unknown>(begin: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T>
  /** The same for calls that give nothing. */
  tell(begin: (sftp: SFTPWrapper, done: (error?: Error | null) => void) => void): Promise<void>
}

export interface SftpDeps { pool: SshPool; limits: Pick<Limits, 'allowSsh'> }

/** Calls over the sftp channel of this login's pooled connection. Nothing is held between two of them, so that the pool closes what nobody uses. */
export function createSftpSession(reach: SftpReach, secrets: TargetSecrets, { pool, limits }: SftpDeps): SftpSession {
  const { kind: _, ...login } = reach
  const way: SshReach = { ...login, kind: 'ssh', privilege: 'none' }
  const place = `${reach.host} port ${reach.port}`
  const lost = (reason: string) => new CertloopError('HOST_UNREACHABLE', `The SFTP session with ${place} ended: ${reason}.`, { host: reach.host, port: reach.port })

  async function call<T>(begin: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T> {
    for (const { host, port } of [...reach.jumps, reach]) limits.allowSsh(host, port)
    const connection = await pool.connection(way, secrets)
    const leave = pool.use(connection)
    try {
      return await over(connection, await connection.sftp(callMs), begin)
    } finally {
      leave()
    }
  }
  function over<T>(connection: Connection, sftp: SFTPWrapper, begin: (sftp: SFTPWrapper, done: Callback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer)
        sftp.off('close', closed)
        end()
      }
      const closed = () => settle(() => reject(lost('the connection was closed')))
      const timer = setTimeout(() => settle(() => { connection.retire(); sftp.end(); reject(lost(`no answer within ${callMs / 1000} s`)) }), callMs)
      sftp.on('close', closed)
      try {
        begin(sftp, (error, value) => settle(() => { if (error) reject(error); else resolve(value) }))
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new Error(String(error))))
      }
    })
  }
  return { call, tell: (begin) => call<void>((sftp, done) => begin(sftp, (error) => { done(error, undefined) })) }
}

/** Whether a call failed with one of these. */
export const hasStatus = (error: unknown, ...codes: number[]): boolean => error instanceof Error && 'code' in error && codes.includes(Number(error.code))
/** An extension that the server does not have: ssh2 says so itself, or the server answers so. */
export const isUnsupported = (error: unknown): boolean => hasStatus(error, sftpStatus.unsupported) || (error instanceof Error && /does not support/i.test(error.message))
