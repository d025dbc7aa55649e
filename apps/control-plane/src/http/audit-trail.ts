import { operations, type OperationId } from '@certloop/contract'
import type { FastifyRequest } from 'fastify'
import type { Audit, AuditNote } from '../audit/audit.ts'
import type { App } from './implement.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Id of what the operation was done to, when its handler ended well. */
    subject: string | null
    /** Set once the operation's handler has been entered. */
    wasHandled: boolean
    wasAudited: boolean
  }
}

function noteOf(request: FastifyRequest, operationId: OperationId): AuditNote {
  const { action, id } = (request.params ?? {}) as { action?: string; id?: string }
  return {
    who: request.who.text,
    what: action === undefined ? operationId : `${operationId} ${action}`,
    subject: request.subject ?? id ?? null,
    outcome: request.problemCode ?? (request.replayed ? 'repeated' : 'ok'),
  }
}

/**
 * The one place that writes the audit log: every state-changing operation by somebody known, allowed or refused, and
 * every sign-in that was tried, with its outcome. It is written before the answer goes out; when that fails for
 * something that was done, the caller learns so by an error answer. Strangers' refused requests are not kept: they could fill the disk.
 */
export function installAuditTrail(app: App, audit: Audit): void {
  app.decorateRequest('subject', null)
  app.decorateRequest('wasHandled', false)
  app.decorateRequest('wasAudited', false)
  app.addHook('onSend', async (request) => {
    if (request.is404 || request.wasAudited) return
    const { operationId } = request.routeOptions.config
    if (operationId === undefined || operations[operationId].method === 'GET') return
    if (request.who.via === 'none' && !request.wasHandled) return
    request.wasAudited = true
    try {
      await audit.record(undefined, noteOf(request, operationId))
    } catch (error) {
      // A request that failed changed nothing: its own problem goes out, and the log says what the audit lacks.
      if (request.problemCode === undefined) throw error
      request.log.error({ err: error, requestId: request.id, code: request.problemCode }, 'a refused request could not be written to the audit log')
    }
  })
}
