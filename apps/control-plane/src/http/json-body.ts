import { CertloopError } from '@certloop/contract'
import type { FastifyInstance } from 'fastify'

const deepest = 64

/** Refuses texts nested deeper than any of our messages, before they are parsed. */
function refuseDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (inString) {
      if (c === '\\') i++
      else if (c === '"') inString = false
    } else if (c === '"') inString = true
    else if (c === '{' || c === '[') { if (++depth > deepest) throw new CertloopError('INPUT_INVALID', `The JSON is nested deeper than ${deepest} levels.`) }
    else if (c === '}' || c === ']') depth--
  }
}

/** Reads application/json only, keeps the bytes for signatures, and refuses prototype keys and absurd depth. */
export function installJsonBody(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    request.rawBody = body
    if (body.length === 0) return done(null, undefined)
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
      refuseDepth(text)
      void parse(request, text, (error, value) => { done(error === null ? null : new CertloopError('INPUT_INVALID', 'The body is not valid JSON.'), value) })
    } catch (error) {
      done(error instanceof CertloopError ? error : new CertloopError('INPUT_INVALID', 'The body is not UTF-8.', {}, error))
    }
  })
}
