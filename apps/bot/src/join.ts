import { botPaths, CertloopError, decodeJoinToken, JoinResponse, toCertloopError, type HostFacts, type JoinToken } from '@certloop/contract'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { controlPlaneUrl } from './connection/address.ts'
import { readAnswer } from './connection/answer.ts'
import { proxyEnvironment } from './connection/proxy.ts'
import { createTransport } from './connection/transport.ts'
import { fetchPinnedAnchor } from './connection/trust.ts'
import { forgetKeyForJoining, keyForJoining, loadIdentity, storeIdentity, type Identity } from './identity.ts'
import { userAgent, version } from './version.ts'

export interface JoinOptions {
  token: string
  /** Prepared and locked by the caller. */
  dataFolder: string
  name: string
  host: HostFacts
  /** As in BotConfiguration. */
  proxy: string | null | undefined
  environment: NodeJS.ProcessEnv
  /** Give up an identity that is there; the keys made on the host stay. */
  replace?: boolean
}

/**
 * Makes this host a bot of the control plane that the token names: anchor against pin, a key of its own, the token's
 * secret for an identity. Nothing is sent before the pin fits; without a pin the system's roots decide.
 * @throws CertloopError JOIN_TOKEN_*, PIN_MISMATCH, ADDRESS_INSECURE, BOT_ALREADY_JOINED, CONTROL_PLANE_UNREACHABLE
 */
export async function joinControlPlane(options: JoinOptions): Promise<Identity> {
  const { dataFolder, proxy, environment, replace = false } = options
  const token = decodeJoinToken(options.token)
  const url = controlPlaneUrl(token.url)
  await refuseSecondIdentity(dataFolder, replace)
  const connection = { url, proxy: proxyEnvironment(url, proxy, environment), userAgent }
  const anchorPem = token.pin === '' ? null : await fetchPinnedAnchor(token.pin, connection)
  const transport = createTransport({ ...connection, trust: anchorPem === null ? 'system' : { anchor: anchorPem } })
  try {
    const key = await keyForJoining(dataFolder)
    const answer = await transport.send({ method: 'POST', path: botPaths.join, body: requestBody(token, key, options), timeoutMs: 30_000 }).catch(answerLost)
    return await storeIdentity(dataFolder, key, { url: url.origin, anchorPem }, readAnswer(JoinResponse, answer, 'The answer to joining'))
  } catch (thrown) {
    // The next token gets a key of its own.
    if (toCertloopError(thrown).code.startsWith('JOIN_TOKEN_')) await forgetKeyForJoining(dataFolder)
    throw thrown
  } finally {
    transport.close()
  }
}

async function refuseSecondIdentity(dataFolder: string, replace: boolean): Promise<void> {
  if (replace) return
  const present = await loadIdentity(dataFolder)
  if (!present) return
  throw new CertloopError('BOT_ALREADY_JOINED', `${dataFolder} belongs to the bot ${present.joined.name} (${present.joined.botId}) of ${present.url}.`, { folder: dataFolder, botId: present.joined.botId })
}

function requestBody({ id, secret }: JoinToken, key: KeyObject, { name, host }: JoinOptions): string {
  const publicKeyPem = createPublicKey(key).export({ type: 'spki', format: 'pem' })
  return JSON.stringify({ tokenId: id, secret, publicKeyPem, name, version, host })
}

/** The request may have arrived all the same, and the token with it be used up: that has to be said. */
function answerLost(thrown: unknown): never {
  const error = toCertloopError(thrown)
  if (error.code !== 'CONTROL_PLANE_UNREACHABLE' || neverSent(error.cause)) throw error
  throw new CertloopError('CONTROL_PLANE_UNREACHABLE', `${error.message} The answer to joining was lost. Try the same token once more; if it is called used, make a new one and revoke the bot it had made.`, error.facts, error)
}

const neverSent = (cause: unknown) => ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes((cause as { code?: string } | undefined)?.code ?? '')
