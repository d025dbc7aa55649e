import { X509Certificate } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { newId, sealPlan, type BotTask, type DeployResult, type HostScan, type KeyAlgorithm, type KeyId, type ResultRequest, type TargetInspection, type WireError } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { joinByHand, type HandMadeBot, type Tell } from './hand-made-bot.ts'

interface Payload {
  commonName: string | null; names: string[]; keyAlgorithm: KeyAlgorithm; reuseKeyId: KeyId | null
  deploymentId: string; undoes: string; target: { fields: { certificatePath: string } }; material: { chainPem: string[]; fingerprint: string }
}
type Result = ResultRequest['result']

/** A bot by hand that does what it is given: real keys and requests, and files that it only remembers. */
export interface WorkingBot extends Pick<HandMadeBot, 'botId'> {
  /** What lies at each place, PEM. */
  installed: Map<string, string>
  /** Lets the next deployment begin and last until it is let go, or a person stops it. */
  hold(): { letGo: () => void }
  done: BotTask['kind'][]
}

export async function joinWorking(url: string, joinToken: string, signal: AbortSignal): Promise<WorkingBot> {
  const bot = await joinByHand(url, joinToken, signal)
  const installed = new Map<string, string>()
  const replaced = new Map<string, string | undefined>()
  const done: BotTask['kind'][] = []
  let held: Promise<void> | undefined
  const put = (path: string, pem: string | undefined) => { if (pem === undefined) installed.delete(path); else installed.set(path, pem) }

  /** @returns whether it was stopped */
  async function holdOn(tell: Tell): Promise<boolean> {
    let going = held !== undefined
    const letGo = held?.then(() => { going = false })
    held = undefined
    while (going) {
      const { cancel } = await tell([])
      if (cancel) return true
      await Promise.race([letGo, setTimeout(100)])
    }
    return false
  }
  async function deploy({ deploymentId, target: { fields: { certificatePath: path } }, material }: Payload, tell: Tell): Promise<DeployResult> {
    const error: WireError = { code: 'DEPLOYMENT_CANCELLED', message: 'It was stopped by a person.', facts: {} }
    if (await holdOn(tell)) return { outcome: 'rolled-back', touched: true, error, differences: [], inspection: inspectionOf(installed.get(path)), log: [] }
    replaced.set(deploymentId, installed.get(path))
    put(path, material.chainPem.join('\n'))
    return deployed(path)
  }
  const deployed = (path: string): DeployResult => ({
    outcome: 'deployed', touched: true, error: null, differences: [], inspection: inspectionOf(installed.get(path)),
    log: ['The certificate was written.', 'nginx was reloaded.'].map((message, step) => ({ at: now(), step, phase: 'do', ok: true, message, output: null, durationMs: 12 })),
  })
  async function answer(kind: BotTask['kind'], payload: Payload, tell: Tell): Promise<unknown> {
    const path = payload.target?.fields.certificatePath ?? ''
    switch (kind) {
      case 'scan-host': return { at: now(), host: { hostName: 'made.test', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }, servers: [], listeners: [], problems: [] } satisfies HostScan
      case 'make-csr': return { keyId: newId('key', new Date()), csrPem: await createCsr({ privateKeyPem: await generateKey(payload.keyAlgorithm), commonName: payload.commonName, names: payload.names, mustStaple: false, keyUsage: [], extendedKeyUsage: [] }) }
      case 'plan-deployment': return sealPlan({ serverType: 'nginx', observed: [], steps: [] })
      case 'place-proof':
      case 'remove-proof': throw new Error(`${kind} is not asked of this bot`)
      case 'deploy': return deploy(payload, tell)
      case 'undo-deployment': put(path, replaced.get(payload.undoes)); return deployed(path)
      case 'inspect-target': return inspectionOf(installed.get(path))
    }
  }
  void (async () => {
    while (!signal.aborted) {
      await bot.answer(async (task, tell): Promise<Result> => {
        done.push(task.kind)
        return { ok: true, data: await answer(task.kind, task.payload as Payload, tell) }
      }, Infinity)
    }
  })().catch((error: unknown) => { if (!signal.aborted) throw error })

  return {
    botId: bot.botId, installed, done,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return { letGo: resolve }
    },
  }
}

const now = () => new Date().toISOString()

function inspectionOf(pem: string | undefined): TargetInspection {
  const fingerprint = pem === undefined ? null : new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
  const endpoint = { address: '127.0.0.1', port: 443, serverName: 'shop.example.com', keyType: null }
  return { at: now(), installedPem: pem ?? null, served: [{ endpoint, fingerprint, error: pem === undefined ? 'refused' : null, at: now() }] }
}
