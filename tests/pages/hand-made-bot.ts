import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { botPaths, botProtocolVersion, decodeJoinToken, signRequest, type BotId, type BotTask, type DeployLogEntry, type JoinResponse, type LeaseResponse, type ProgressRequest, type ProgressResponse, type ResultRequest } from '@certloop/contract'

/** Shows what is going on, renews the lease and hears whether it is to stop. */
export type Tell = (log: DeployLogEntry[]) => Promise<{ cancel: boolean }>

/** A bot whose answers a test makes: the real protocol, signed by a key of its own. */
export interface HandMadeBot {
  botId: BotId
  /** Opens what was sealed for it. */
  encryptionKey: KeyObject
  /** Waits for the next task, for a minute unless said otherwise, and answers it. */
  answer(make: (task: BotTask, tell: Tell) => ResultRequest['result'] | Promise<ResultRequest['result']>, mostTries?: number): Promise<BotTask>
}

const host = { hostName: 'made.test', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }

export async function joinByHand(url: string, joinToken: string, signal?: AbortSignal): Promise<HandMadeBot> {
  const identity = generateKeyPairSync('ed25519')
  const encryption = generateKeyPairSync('x25519')
  const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
  const send = async <T>(path: string, body: object, headers: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...(signal ? { signal } : {}) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (response.status === 204 ? undefined : await response.json()) as T
  }
  const { id: tokenId, secret } = decodeJoinToken(joinToken)
  const { botId } = await send<JoinResponse>(botPaths.join, { tokenId, secret, publicKeyPem: pem(identity.publicKey), name: 'made', version: '0.1.0', host })
  const signed = <T>(path: string, body: object): Promise<T> => send(path, body, { ...signRequest({ method: 'POST', path, body: JSON.stringify(body) }, botId, identity.privateKey, new Date()) })
  const bootId = randomUUID()
  await signed(botPaths.hello, { bootId, version: '0.1.0', protocol: botProtocolVersion, host, encryptionKeyPem: pem(encryption.publicKey) })
  return {
    botId, encryptionKey: encryption.privateKey,
    async answer(make, mostTries = 3) {
      for (let tries = 0; tries < mostTries; tries++) {
        const { tasks: [task] } = await signed<LeaseResponse>(botPaths.lease, { bootId, waitSeconds: 20, max: 1 })
        if (!task) continue
        const tell: Tell = async (log) => {
          const { cancel = false } = await signed<ProgressResponse>(botPaths.progress(task.id), { fence: task.fence, log } satisfies ProgressRequest)
          return { cancel }
        }
        await signed(botPaths.result(task.id), { fence: task.fence, result: await make(task, tell) } satisfies ResultRequest)
        return task
      }
      throw new Error('no task came in time')
    },
  }
}
