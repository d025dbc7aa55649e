import { stat } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import fastifyStatic from '@fastify/static'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from './implement.ts'

const isFile = async (file: string) => (await stat(file).catch(() => undefined))?.isFile() === true

const howToBuild = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Certloop</title>
<h1>The pages are not built</h1><p>The API works. To have the pages, run <code>npm start</code> in the folder of Certloop, which builds them, then load this again.</p></html>`

/**
 * Serves the built pages. Addresses of pages (navigations that want HTML) get index.html, whose script knows them;
 * files with a digest in their name may be kept for a year, all else is asked for again.
 */
export async function installPages(app: App, folder: string): Promise<void> {
  await app.register(fastifyStatic, { root: folder, serve: false, cacheControl: false })

  const page = async (reply: FastifyReply) => {
    reply.header('cache-control', 'no-cache')
    if (await isFile(path.join(folder, 'index.html'))) return reply.sendFile('index.html')
    return reply.code(503).type('text/html; charset=utf-8').send(howToBuild)
  }

  app.get('/*', { config: { access: 'public' }, schema: { hide: true } }, async (request: FastifyRequest, reply) => {
    const { '*': wanted = '' } = request.params as { '*'?: string }
    const nothing = () => new CertloopError('NOT_FOUND', `There is no such call or page: ${request.method} ${request.url.split('?')[0]}.`)
    if (/^(api|bot)(\/|$)/.test(wanted)) throw nothing()
    const file = path.join(folder, wanted)
    if (wanted !== '' && file.startsWith(folder + path.sep) && !wanted.includes('\0') && await isFile(file)) {
      return reply.header('cache-control', wanted.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache').sendFile(wanted)
    }
    const wantsPage = wanted === '' || (request.headers.accept ?? '').includes('text/html')
    if (!wantsPage) throw nothing()
    return page(reply)
  })
}
