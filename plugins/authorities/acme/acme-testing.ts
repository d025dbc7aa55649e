import { setTimeout as sleep } from 'node:timers/promises'
import { CertloopError, toCertloopError, type KeyAlgorithm } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { addressGuard, createOutbound, type AuthorityConnector, type Call, type Handle, type IssueRequest, type Memory, type Outbound, type ProofWay, type WantedProof } from '@certloop/plugin-kit'
import { wallClock, type RunningChallengeServer } from '@certloop/test-kit'
import { acmeConnector } from './connector.ts'
import type { AcmeFields } from './fields.ts'

/** What the control plane keeps for an authority, one change after the other. */
export function testMemory(): Memory & { present: Record<string, string> } {
  let last: Promise<unknown> = Promise.resolve()
  const memory = {
    present: {} as Record<string, string>,
    read: async () => memory.present,
    change(apply: (present: Readonly<Record<string, string>>) => Record<string, string>) {
      const next = last.then(() => (memory.present = apply(memory.present)))
      last = next.catch(() => undefined)
      return next
    },
  }
  return memory
}

/** The real way out, with loopback allowed. */
export const testOutbound = (options: { trustPem?: string } = {}): Outbound => createOutbound({ guard: addressGuard(['127.0.0.0/8', '::1']), unreachable: 'AUTHORITY_UNREACHABLE', userAgent: 'certloop-test', timeoutMs: 5000, ...options })

export interface TestConnector { connector: AuthorityConnector; memory: ReturnType<typeof testMemory> }
export interface ConnectorOptions { memory?: ReturnType<typeof testMemory>; outbound?: (options?: { trustPem?: string }) => Outbound; now?: () => Date }
export function testConnector(fields: AcmeFields, { memory = testMemory(), outbound = testOutbound, now = wallClock }: ConnectorOptions = {}): TestConnector {
  return { memory, connector: acmeConnector({ name: 'Test CA', fields: { termsAgreed: true, ...fields }, memory, outbound, now, random: () => 0.5 }) }
}

export interface TestCall extends Call { notes: string[]; handle: Handle | undefined }
export function testCall(keep: (handle: Handle) => Promise<void> = async () => undefined): TestCall {
  const call: TestCall = {
    notes: [], handle: undefined, signal: new AbortController().signal,
    note: (message) => { call.notes.push(message) },
    async keep(handle) {
      await keep(handle)
      call.handle = structuredClone(handle)
    },
  }
  return call
}

export async function testRequest(names: readonly string[], more: Partial<IssueRequest> & { key?: KeyAlgorithm } = {}): Promise<IssueRequest> {
  const { key = 'ec-256', ...rest } = more
  return { reference: 'ord_test', csrPem: await createCsr({ privateKeyPem: await generateKey(key), names }), names, commonName: null, keyAlgorithm: key, validityDays: null, ...rest }
}

/** Puts a proof where the challenge server shows it. */
async function place(challenges: RunningChallengeServer, way: ProofWay): Promise<void> {
  if (way.kind === 'http') return challenges.addHttp(way.path.split('/').at(-1) ?? '', way.content)
  if (way.kind === 'dns') return challenges.setTxt(way.recordName, way.value)
  throw new Error('the challenge server makes its own digests')
}

export interface Driving {
  place?: (proof: WantedProof, way: ProofWay) => Promise<void>
  kind?: (proof: WantedProof) => ProofWay['kind']
  /** Errors that pass by themselves are passed over, as the task of an order does. */
  patient?: boolean
  most?: number
}
interface Driven { chainPem: string[]; call: TestCall; looks: number }
/** What the control plane does with an order until it is issued: places, asks, looks again. */
export async function drive(connector: AuthorityConnector, request: IssueRequest, challenges: RunningChallengeServer, driving: Driving = {}): Promise<Driven> {
  const call = testCall()
  const asked = new Set<string>()
  const { patient = false, most = 400 } = driving
  for (let looks = 1; looks <= most; looks++) {
    try {
      const progress = await (call.handle ? connector.proceed(request, call.handle, call) : connector.submit(request, call))
      if (progress.state === 'issued') return { chainPem: progress.chainPem, call, looks }
      call.handle = structuredClone(progress.handle)
      if (progress.state === 'proving') await proveAll(connector, progress.proofs, { ...driving, challenges, call, asked })
    } catch (error) {
      if (!patient || toCertloopError(error).spec.retry !== 'later') throw error
    }
    await sleep(20)
  }
  throw new Error(`not issued after ${most} looks:\n${call.notes.join('\n')}`)
}

async function proveAll(connector: AuthorityConnector, proofs: readonly WantedProof[], { challenges, call, asked, kind = ({ wildcard }) => (wildcard ? 'dns' : 'http'), place: placing = (_proof, way) => place(challenges, way) }: Driving & { challenges: RunningChallengeServer; call: TestCall; asked: Set<string> }): Promise<void> {
  const failed = proofs.find(({ state }) => state === 'invalid')
  if (failed?.error) throw new CertloopError(failed.error.code, failed.error.message, failed.error.facts)
  for (const proof of proofs.filter(({ state, id }) => state === 'wanted' && !asked.has(id))) {
    const way = proof.ways.find((one) => one.kind === kind(proof))
    if (!way) throw new Error(`${proof.name} can not be proven by ${kind(proof)}`)
    await placing(proof, way)
    await connector.prove?.(call.handle ?? {}, { id: proof.id, wayId: way.id }, call)
    asked.add(proof.id)
  }
}
