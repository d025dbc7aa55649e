import type { ServerResponse } from 'node:http'
import { changeKinds, type ChangeNotice } from '@certloop/contract'
import type { FastifyRequest } from 'fastify'
import type { Wake } from '../database/wake.ts'
import { endedTopic } from '../user/sessions.ts'
import type { App } from './implement.ts'
import type { Authenticator } from './who.ts'

const heartbeatMs = 15_000
/** A reader this far behind is cut off; it reads everything anew when it comes back. */
const mostBufferedBytes = 1024 * 1024

/** A wake topic "change:<kind>:<id>[:<certificateId>]" as the notice that readers get. */
export function noticeOf(topic: string): ChangeNotice | undefined {
  const [head, kindText, id, certificateId] = topic.split(':')
  const kind = changeKinds.find((known) => known === kindText)
  if (head !== 'change' || kind === undefined || id === undefined) return undefined
  return { kind, id, ...(certificateId === undefined ? {} : { certificateId }) }
}

/** GET /api/v1/events: what changed, as it changes (server-sent events, HTML standard 9.2). */
export function installEvents(app: App, { wake, users }: { wake: Wake; users: Authenticator }): void {
  const open = new Set<ServerResponse>()

  const stream = (request: FastifyRequest, raw: ServerResponse) => {
    const write = (text: string) => {
      if (raw.writableLength > mostBufferedBytes) raw.destroy()
      else raw.write(text)
    }
    const ended = request.who.id === null ? '' : endedTopic(request.who.id)
    const stopListening = wake.listen((topic) => {
      if (topic === ended) raw.end()
      const notice = noticeOf(topic)
      if (notice) write(`data: ${JSON.stringify(notice)}\n\n`)
    })
    const beat = setInterval(() => {
      write(': still here\n\n')
      users.goesOn(request.who).then((goesOn) => { if (!goesOn) raw.end() }, (error: unknown) => {
        request.log.error({ err: error }, 'could not check the session of an event stream; it is closed')
        raw.end()
      })
    }, heartbeatMs)
    open.add(raw)
    raw.once('close', () => {
      clearInterval(beat)
      stopListening()
      open.delete(raw)
    })
    raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff' })
    write('retry: 2000\n: changes follow\n\n')
  }

  app.get('/api/v1/events', {
    config: { access: 'certificate:read' },
    exposeHeadRoute: false,
    schema: {
      operationId: 'watchEvents', summary: 'What changed, as server-sent events: each is a JSON object {kind, id, certificateId?}', tags: ['system'], security: [{ session: [] }, { token: [] }], 'x-access': 'certificate:read',
      response: { 200: { description: 'Stays open', content: { 'text/event-stream': { schema: { type: 'string' } } } } },
    },
  }, (request, reply) => {
    reply.hijack()
    stream(request, reply.raw)
  })
  app.addHook('preClose', async () => { for (const raw of open) raw.end() })
}
