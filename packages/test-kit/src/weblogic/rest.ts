import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { childrenOf, type ConfigElement, serverOf, valueOf } from './config-xml.ts'
import { type Answer, beanOf, EditSession, failure } from './edit.ts'

/** Who may log in: WebLogic keeps them in a directory of its own. The role decides who may change something. */
export const weblogicUsers = {
  admin: { user: 'weblogic', password: 'Welcome "to" 9', role: 'Admin' },
  monitor: { user: 'watcher', password: 'only looks 5', role: 'Monitor' },
} as const

export interface RestServer {
  name: string
  folder: string
  config: () => ConfigElement
  /** Has the channels with TLS read their identities again. */
  restartSslChannels: () => Promise<void>
  /** The configuration changed. */
  activated: () => void
  /** True when the next change is to be answered with an error. */
  refuses: () => boolean
}

interface Asked { method: string; path: readonly string[]; query: URLSearchParams; body: string; user: string; headers: IncomingMessage['headers'] }

const done: Answer = { status: 200, body: {} }

/** The interface below /management/weblogic/{version}, as Oracle's reference and the descriptions of it by others have it. */
export function restInterface(server: RestServer): (request: IncomingMessage, response: ServerResponse) => void {
  const isAdmin = valueOf(server.config(), 'admin-server-name') === server.name
  const edit = new EditSession(server.folder, server.config, server.activated)
  const trees: Readonly<Record<string, (asked: Asked) => Answer | Promise<Answer>>> = {
    serverRuntime: (asked) => serverRuntime(server, asked, asked.path.slice(1)),
    ...(isAdmin ? { domainRuntime: (asked) => domainRuntime(server, asked), domainConfig: (asked) => configTree(server, asked), edit: (asked) => editTree(server, edit, asked) } : {}),
  }
  return (request, response) => {
    void answerTo(server, trees, request).then(({ status, body }) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      response.writeHead(status, { 'Content-Type': typeof body === 'string' ? 'text/plain' : 'application/json', ...(status === 401 ? { 'WWW-Authenticate': 'Basic realm="weblogic"' } : {}) }).end(text)
    }, (error: unknown) => { response.writeHead(500).end(String(error)) })
  }
}

async function answerTo(server: RestServer, trees: Readonly<Record<string, (asked: Asked) => Answer | Promise<Answer>>>, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://server')
  const [, management, product, version, ...path] = url.pathname.split('/').map(decodeURIComponent)
  if (management !== 'management') return { status: 200, body: `served by ${server.name}\n` }
  const account = accountOf(request.headers.authorization)
  if (account === undefined) return { status: 401, body: 'Unauthorized' }
  const refusal = changeRefusal(account, request)
  if (refusal !== undefined) return refusal
  const { method = 'GET', headers } = request
  const isKnown = product === 'weblogic' && ['latest', valueOf(server.config(), 'domain-version')].includes(version)
  const tree = isKnown ? trees[path[0] ?? ''] : undefined
  if (tree === undefined) return failure(404, 'not found')
  const body = (await buffer(request)).toString('utf8')
  if (method !== 'GET' && server.refuses()) return failure(500, 'the server is not able to do this now')
  return tree({ method, path, query: url.searchParams, body, user: account.user, headers })
}

/** Some versions want the header for looking at running servers too. */
const serverRuntimes = /^\/management\/weblogic\/[^/]+\/domainRuntime\/serverRuntimes\b/

/** What a change has to have. The refusal for a missing header is plain text. */
function changeRefusal({ user, role }: { user: string; role: string }, { method, headers, url = '' }: IncomingMessage): Answer | undefined {
  if (headers['x-requested-by'] === undefined && (method !== 'GET' || serverRuntimes.test(url))) return { status: 400, body: 'Unauthorized request: the header X-Requested-By is missing' }
  if (method === 'GET') return undefined
  if (role !== 'Admin') return failure(403, `${user} may not do this`)
  return headers['content-type'] === 'application/json' ? undefined : { status: 415, body: 'Unsupported Media Type' }
}

function accountOf(header: string | undefined): { user: string; role: string } | undefined {
  const given = Buffer.from(header?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8')
  return Object.values(weblogicUsers).find(({ user, password }) => given === `${user}:${password}`)
}

/** ?fields=a,b and links=none. */
function shown(bean: Record<string, unknown>, { query, path }: Asked): Answer {
  const fields = query.get('fields')?.split(',')
  const chosen = fields === undefined ? bean : Object.fromEntries(Object.entries(bean).filter(([name]) => fields.includes(name)))
  return { status: 200, body: query.get('links') === 'none' ? chosen : { ...chosen, links: [{ rel: 'self', href: `/management/weblogic/latest/${path.join('/')}` }] } }
}

async function serverRuntime(server: RestServer, asked: Asked, [action, ...rest]: readonly string[]): Promise<Answer> {
  if (asked.method === 'GET' && action === undefined) return shown({ identity: ['serverRuntime'], name: server.name, state: 'RUNNING', restartRequired: false }, asked)
  if (asked.method !== 'POST' || action !== 'restartSSLChannels' || rest.length > 0) return failure(404, 'not found')
  await server.restartSslChannels()
  return done
}

/** The administration server reaches the others: here by their own interface. */
async function domainRuntime(server: RestServer, asked: Asked): Promise<Answer> {
  const [, collection, name, ...rest] = asked.path
  const element = serverOf(server.config(), name ?? '')
  if (element === undefined || name === undefined) return failure(404, 'not found')
  if (collection === 'serverLifeCycleRuntimes') return shown({ name, state: name === server.name || await isRunning(element, asked) ? 'RUNNING' : 'SHUTDOWN' }, asked)
  if (collection !== 'serverRuntimes') return failure(404, 'not found')
  return name === server.name ? serverRuntime(server, asked, rest) : forward(element, asked, rest).catch(() => failure(404, `${name} does not run`))
}

const isRunning = (element: ConfigElement, asked: Asked) => forward(element, { ...asked, method: 'GET', body: '' }, []).then(({ status }) => status === 200, () => false)

function forward(element: ConfigElement, { method, query, body, headers }: Asked, rest: readonly string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { authorization, 'content-type': type, 'x-requested-by': by } = headers
    const asked = httpRequest({
      host: '127.0.0.1', port: Number(valueOf(element, 'listen-port') ?? 7001), method, path: `/management/weblogic/latest/${['serverRuntime', ...rest].join('/')}?${query.toString()}`,
      headers: { authorization: authorization ?? '', ...(type === undefined ? {} : { 'content-type': type }), ...(by === undefined ? {} : { 'x-requested-by': by }) },
    }, (answer) => { void buffer(answer).then((bytes) => { resolve({ status: answer.statusCode ?? 500, body: JSON.parse(bytes.toString('utf8')) }) }).catch(reject) })
    asked.on('error', reject).end(body)
  })
}

function configTree(server: RestServer, asked: Asked): Answer {
  const [, collection, name, bean] = asked.path
  const servers = childrenOf(server.config(), 'server')
  if (asked.method !== 'GET' || collection !== 'servers') return failure(404, 'not found')
  if (name === undefined) return { status: 200, body: { items: servers.map((one) => shown(beanOf(one, undefined), asked).body) } }
  const found = serverOf(server.config(), name)
  return found === undefined ? failure(404, 'not found') : shown(beanOf(found, bean), asked)
}

function editTree(server: RestServer, edit: EditSession, asked: Asked): Answer {
  const [, collection, action, ...rest] = asked.path
  if (collection === 'changeManager') return asked.method === 'GET' ? edit.state() : rest.length === 0 && action !== undefined ? edit.act(action, asked.user) : failure(404, 'not found')
  if (asked.method === 'GET') return configTree(server, asked)
  return collection === 'servers' ? edit.change(asked.path.slice(1), asked.user, JSON.parse(asked.body) as Record<string, unknown>) : failure(404, 'not found')
}
