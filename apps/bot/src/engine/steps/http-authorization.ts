import { CertloopError } from '@certloop/contract'
import { createHash, randomBytes } from 'node:crypto'

export interface Login { user: string; password: string }

/** RFC 7617, UTF-8. */
export const basicAuthorization = ({ user, password }: Login): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

interface Challenge { scheme: string; parameters: Map<string, string> }

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const parameter = new RegExp(`^(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`)
const schemeName = new RegExp(`^(${token})(?=\\s|,|$)`)

/** WWW-Authenticate (RFC 9110, 11.6.1): several challenges may share a line, and several lines may come. What is not understood ends its line. */
export function readChallenges(lines: readonly string[]): Challenge[] {
  const found: Challenge[] = []
  for (const line of lines) for (let rest = line.trim(); rest !== '';) rest = takePart(rest, found)
  return found
}

/** Takes one scheme or parameter from the beginning. @returns what is left */
function takePart(text: string, found: Challenge[]): string {
  const left = (match: RegExpExecArray) => text.slice(match[0].length).replace(/^[\s,]+/, '')
  const pair = parameter.exec(text)
  if (pair !== null) {
    const [, name = '', quoted = '', bare] = pair
    found.at(-1)?.parameters.set(name.toLowerCase(), bare ?? quoted.replace(/\\(.)/g, '$1'))
    return left(pair)
  }
  const scheme = schemeName.exec(text)
  if (scheme === null) return ''
  found.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() })
  return left(scheme)
}

/** The best first. */
const algorithms: Record<string, string> = { 'sha-256': 'sha256', 'sha-256-sess': 'sha256', 'md5': 'md5', 'md5-sess': 'md5' }
const algorithmOf = ({ parameters }: Challenge) => (parameters.get('algorithm') ?? 'MD5').toLowerCase()

/**
 * The answer to a Digest challenge (RFC 7616) with SHA-256 or MD5, for "auth" and for servers of RFC 2069.
 * @param lines WWW-Authenticate of the answer with status 401
 * @throws CertloopError MANAGEMENT_REFUSED when the server offers nothing of the kind
 */
export function digestAuthorization(lines: readonly string[], login: Login, method: string, uri: string, cnonce = randomBytes(16).toString('hex')): string {
  const offered = readChallenges(lines)
  const order = Object.keys(algorithms)
  const [challenge] = offered.filter((one) => one.scheme === 'digest' && algorithmOf(one) in algorithms).toSorted((a, b) => order.indexOf(algorithmOf(a)) - order.indexOf(algorithmOf(b)))
  const qops = challenge?.parameters.get('qop')?.split(',').map((one) => one.trim().toLowerCase())
  if (challenge === undefined || (qops !== undefined && !qops.includes('auth'))) {
    throw new CertloopError('MANAGEMENT_REFUSED', `The management interface does not ask for a login with Digest as it is done here: it offers ${offered.map(({ scheme }) => scheme).join(', ') || 'nothing'}.`)
  }
  return digestAnswer(challenge.parameters, algorithmOf(challenge), login, { method, uri, cnonce, hasQop: qops !== undefined })
}

function digestAnswer(parameters: Map<string, string>, algorithm: string, { user, password }: Login, { method, uri, cnonce, hasQop }: { method: string; uri: string; cnonce: string; hasQop: boolean }): string {
  const hash = (...parts: string[]) => createHash(algorithms[algorithm] ?? 'md5').update(parts.join(':')).digest('hex')
  const [realm, nonce] = [parameters.get('realm') ?? '', parameters.get('nonce') ?? '']
  const plain = hash(user, realm, password)
  const who = algorithm.endsWith('-sess') ? hash(plain, nonce, cnonce) : plain
  const what = hash(method, uri)
  const nc = '00000001'
  const response = hasQop ? hash(who, nonce, nc, cnonce, 'auth', what) : hash(who, nonce, what)
  const hashedUser = parameters.get('userhash')?.toLowerCase() === 'true'
  const quoted: [string, string | undefined][] = [['username', hashedUser ? hash(user, realm) : user], ['realm', realm], ['nonce', nonce], ['uri', uri], ['response', response], ['opaque', parameters.get('opaque')], ['cnonce', hasQop || algorithm.endsWith('-sess') ? cnonce : undefined]]
  const bare: [string, string | undefined][] = [['algorithm', parameters.get('algorithm')], ['qop', hasQop ? 'auth' : undefined], ['nc', hasQop ? nc : undefined], ['userhash', hashedUser ? 'true' : undefined]]
  return `Digest ${[
    ...quoted.flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value.replace(/["\\]/g, '\\$&')}"`])),
    ...bare.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
  ].join(', ')}`
}
