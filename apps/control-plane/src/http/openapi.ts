import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { App } from './implement.ts'

/** The OpenAPI 3.1 document made from the routes, and pages to read it. */
export async function installOpenApi(app: App, { version }: { version: string }): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Certloop', version, description: 'Certificate lifecycle platform. Every error is a problem document (RFC 9457) with a stable code.' },
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: 'certloop_session', description: 'Set by signing in. Changes need a request of the same origin.' },
          token: { type: 'http', scheme: 'bearer', description: 'API token' },
          botSignature: { type: 'apiKey', in: 'header', name: 'signature', description: 'HTTP message signature of a joined bot (RFC 9421)' },
        },
      },
    },
    refResolver: { buildLocalReference: (schema, _base, _fragment, i) => (typeof schema['$id'] === 'string' ? schema['$id'] : `schema-${i}`) },
  })
  await app.register(swaggerUi, { routePrefix: '/api/docs', staticCSP: false })
  app.get('/api/v1/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
}
