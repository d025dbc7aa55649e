import { createHash } from 'node:crypto'
import { CertloopError, type OperationId } from '@certloop/contract'
import type { FastifyRequest } from 'fastify'
import { fromJson, toJson } from '../database/columns.ts'
import { watchCommits, type Database } from '../database/database.ts'
import { claimKey, deleteKeysBefore, findKey, keepAnswer, releaseKey } from './idempotency-store.ts'
import { subjectOf } from './subject.ts'

/** Operations that take an Idempotency-Key. `secret`: the answer holds a secret told once, so it is never stored. */
const repeatable: Partial<Record<OperationId, 'replay' | 'secret'>> = {
  createCertificate: 'replay', startAction: 'replay', createBatch: 'replay', createBulkChange: 'replay', createBot: 'secret', createApiToken: 'secret',
}
export const takesIdempotencyKey = (operationId: OperationId): boolean => operationId in repeatable
const keptSeconds = 24 * 3600

type Kept = { answer: unknown } | { secretOf: string | null }

export interface Idempotency {
  /**
   * Runs `work` once per key, caller and request within 24 hours; a repetition gets the stored answer.
   * @throws CertloopError CONFLICT when the key was used for another request, is still under way, or its answer held a secret
   */
  run<T>(request: FastifyRequest, operationId: OperationId, work: () => Promise<T>): Promise<T>
}

const conflict = (message: string, facts = {}) => new CertloopError('CONFLICT', message, facts)

function readKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new CertloopError('INPUT_INVALID', 'The header Idempotency-Key takes 1 to 200 visible characters.', { fields: ['header.idempotency-key: takes 1 to 200 visible characters'] })
  }
  return key
}

function repeat<T>(request: FastifyRequest, kept: { requestHash: string; answer: string | null } | undefined, requestHash: string): T {
  if (!kept || (kept.requestHash === requestHash && kept.answer === null)) {
    throw conflict('The first request with this Idempotency-Key is under way, was cut off, or failed after something was written. Look whether it took effect before you send it with another key.')
  }
  if (kept.requestHash !== requestHash || kept.answer === null) throw conflict('This Idempotency-Key was used for another request. Take a new one.')
  const answer = fromJson<Kept>(kept.answer)
  if ('secretOf' in answer) {
    throw conflict('This was done already. The answer held a secret, which is shown only once; if it was lost, delete the thing and make another.', answer.secretOf === null ? {} : { id: answer.secretOf })
  }
  request.replayed = true
  return answer.answer as T // stored by this very operation
}

declare module 'fastify' {
  interface FastifyRequest { replayed: boolean }
}

export function createIdempotency({ database: { db }, now }: { database: Database; now: () => Date }): Idempotency {
  return {
    async run(request, operationId, work) {
      const mode = repeatable[operationId]
      const key = mode === undefined ? undefined : readKey(request)
      if (key === undefined) return work()
      const who = (request.who.via === 'token' ? request.who.id : request.who.userId) ?? request.who.text
      const requestHash = createHash('sha256').update(toJson([operationId, request.params, request.body ?? null])).digest('hex')
      await deleteKeysBefore(db, new Date(now().getTime() - keptSeconds * 1000).toISOString())
      if (!await claimKey(db, { who, key, requestHash, createdAt: now().toISOString() })) return repeat(request, await findKey(db, who, key), requestHash)
      return watchCommits(async (hasCommitted) => {
        try {
          const answer = await work()
          await keepAnswer(db, who, key, toJson((mode === 'secret' ? { secretOf: subjectOf(request.params, answer) } : { answer }) satisfies Kept))
          return answer
        } catch (error) {
          // Nothing was made: the same request may be tried again. Otherwise the key stays, without an answer.
          if (!hasCommitted()) await releaseKey(db, who, key)
          throw error
        }
      })
    },
  }
}
