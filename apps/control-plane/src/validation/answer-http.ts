import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Database } from '../database/database.ts'
import { servedAt, wayOf } from './validation-store.ts'
import { answeredPath } from './ways.ts'

const below = '/.well-known/acme-challenge'
const text = { 'content-type': 'text/plain', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
const nothing = (response: ServerResponse): void => { response.writeHead(404, text).end('There is nothing here.\n') }

/**
 * Answers authorities that look for a proof (RFC 8555, 8.3): for everybody, over plain http too, without a redirect. It
 * knows only what is open just now, and only whoever has the whole token learns anything.
 * @returns whether the request was one for it
 */
export function createProofAnswers({ database, log }: { database: Database; log: (message: string, error: unknown) => void }) {
  const answer = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    const row = await servedAt(database.db, path)
    const way = row && wayOf(row)
    if (way?.kind !== 'http') return nothing(response)
    response.writeHead(200, { ...text, 'content-length': String(Buffer.byteLength(way.content)) })
    response.end(request.method === 'HEAD' ? undefined : way.content)
  }
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const path = request.url ?? ''
    if (path !== below && !path.startsWith(`${below}/`) && !path.startsWith(`${below}?`)) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end()
    else if (!answeredPath.test(path)) nothing(response)
    else {
      answer(request, response, path).catch((error: unknown) => {
        log('a proof could not be looked up', error)
        if (response.headersSent) response.destroy()
        else response.writeHead(503, { ...text, 'retry-after': '10' }).end('Try again later.\n')
      })
    }
    return true
  }
}
