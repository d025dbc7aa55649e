import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { CertloopError, newId, validationDefaults, type AuthorityId, type CertificateId, type ErrorCode, type ErrorFacts, type ValidationSettings, type VersionId } from '@certloop/contract'
import type { AuthorityConnector, Call, Handle, IssueRequest, Progress, WantedProof } from '@certloop/plugin-kit'
import { insertAuthority } from '../authority/authority-store.ts'
import { toJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { makeWorld, type TestBot, type World } from '../world-testing.ts'
import { abandonRequestKind } from './abandon.ts'
import { attemptsOf } from './attempt-store.ts'
import { verdictOf } from './failure-verdict.ts'
import { getOrder, type OrderRow } from './order-store.ts'
import { submitOrderKind } from './order-worker.ts'
import { startOrder } from './start-order.ts'

export const failure = (code: ErrorCode, facts: ErrorFacts = {}) => new CertloopError(code, `It said ${code}.`, facts)

interface Filed { names: readonly string[]; reference: string; proofs: WantedProof[]; polls: number; chainPem?: string[]; gone: boolean }
/** What a call does besides going well: fails before it arrives, or after it took effect; `silent` alone is not an error. */
export interface Mishap { when: 'before' | 'after'; error: CertloopError }

/**
 * An authority that keeps count of what it issues. keeps: like ACME, it keeps a handle before anything that counts and can't be
 * asked by reference. finds: it issues at once, and is asked by reference. neither: it keeps a handle, and can't say what became of it.
 */
export interface ScriptedAuthority {
  id: AuthorityId
  connector: AuthorityConnector
  issued: { reference: string; names: readonly string[] }[]
  filed: Map<string, Filed>
  asked: string[]
  abandoned: string[]
  /** Taken one by one, by the calls that come. */
  mishaps: (Mishap | undefined)[]
  /** Names to be proven before it issues, and how each proof stands. */
  proofs: Map<string, WantedProof['state']>
  /** It has to be asked so often before it issues. */
  polls: number
}

const proofOf = (id: string, name: string, state: WantedProof['state']): WantedProof => ({
  id: `${id}/${name}`, name, type: 'dns', wildcard: false, state, ways: [{ id: 'http', kind: 'http', path: `/.well-known/acme-challenge/${name.replaceAll('.', '-')}-${id}`, content: 'proof', port: 80 }],
  ...(state === 'invalid' ? { error: { code: 'VALIDATION_REFUSED', message: `${name} answered 404.`, facts: {} } } : {}),
})

function scripted(w: World, id: AuthorityId, how: 'keeps' | 'finds'): ScriptedAuthority {
  const authority: ScriptedAuthority = { id, issued: [], filed: new Map(), asked: [], abandoned: [], mishaps: [], proofs: new Map(), polls: 0, connector: undefined as unknown as AuthorityConnector }
  const { issued, filed, asked, mishaps, proofs } = authority
  const meet = async <T>(what: string, { reference }: IssueRequest, work: () => Promise<T>): Promise<T> => {
    asked.push(what)
    const next = mishaps.shift()
    // It does not lie: what it has issued it neither refuses nor says to have run out.
    const mishap = next && verdictOf(next.error).leaves === 'over' && issued.some((one) => one.reference === reference) ? undefined : next
    if (mishap?.when === 'before') throw mishap.error
    const result = await work()
    if (mishap) throw mishap.error
    return result
  }
  async function issue(one: Filed, { csrPem, commonName, keyAlgorithm }: IssueRequest): Promise<string[]> {
    if (one.chainPem) return one.chainPem
    issued.push({ reference: one.reference, names: one.names })
    const { chainPem } = await w.localCa.issue({ reference: `${id}:${issued.length}`, csrPem, names: one.names, commonName, keyAlgorithm, validityDays: 30, profile: 'server' })
    one.chainPem = chainPem
    return chainPem
  }
  async function look(handle: string, one: Filed, request: IssueRequest): Promise<Progress> {
    if (one.chainPem) return { state: 'issued', chainPem: one.chainPem }
    if (one.gone) throw failure('ORDER_EXPIRED')
    const wanted = one.names.filter((name) => proofs.has(name)).map((name) => proofOf(handle, name, proofs.get(name) ?? 'wanted'))
    if (wanted.some(({ state }) => state !== 'valid')) return { state: 'proving', handle: { id: handle }, proofs: wanted, expires: null, pollSeconds: 5 }
    if (one.polls-- > 0 && !one.chainPem) return { state: 'waiting', handle: { id: handle }, reason: 'It is being looked at.', pollSeconds: 10 }
    return { state: 'issued', chainPem: await issue(one, request) }
  }
  const file = ({ reference, names }: IssueRequest): [string, Filed] => {
    const entry: Filed = { names, reference, proofs: [], polls: authority.polls, gone: false }
    const handle = `${reference}-${filed.size}`
    filed.set(handle, entry)
    return [handle, entry]
  }
  const proceed = (request: IssueRequest, handle: Handle) => meet('proceed', request, async () => {
    const one = filed.get(String(handle['id']))
    if (!one) throw failure('ORDER_EXPIRED')
    return look(String(handle['id']), one, request)
  })
  const keeping = {
    keepsFirst: true,
    submit: async (request: IssueRequest, call: Call) => {
      const [handle, one] = await meet('submit', request, async () => file(request))
      await call.keep({ id: handle })
      call.note(`Filed as ${handle}.`)
      return meet('look', request, () => look(handle, one, request))
    },
  }
  const finding = {
    submit: (request: IssueRequest) => meet('submit', request, async () => look(...file(request), request)),
    find: (request: IssueRequest) => meet('find', request, async () => {
      const known = [...filed].find(([, one]) => one.reference === request.reference && one.chainPem)
      return known ? look(...known, request) : undefined
    }),
  }
  authority.connector = {
    kind: 'scripted', keyAlgorithms: ['ec-256'], validationMethods: ['none', 'http', 'manual'], certificateTypes: ['other'], proceed, ...(how === 'keeps' ? keeping : finding),
    async abandon({ id: handle }) {
      authority.abandoned.push(String(handle))
      const one = filed.get(String(handle))
      if (one) one.gone = true
    },
    test: async () => {},
  }
  return authority
}

interface Ordering { names?: string[]; commonName?: string | null; fallbacks?: readonly ScriptedAuthority[]; validation?: Partial<ValidationSettings>; replaces?: VersionId; hours?: number }
/** A world whose orders go to authorities that play by a script. What is to be proven is said by the script alone. */
export async function makeOrderWorld(t: TestContext, database: Database, kinds: readonly ('keeps' | 'finds')[] = ['keeps', 'finds']) {
  const w = await makeWorld(t, database)
  const authorities: ScriptedAuthority[] = []
  for (const [i, how] of kinds.entries()) {
    const id = newId('ath', w.now())
    await database.transaction((tx) => insertAuthority(tx, { id, name: `authority ${i + 1}`, kind: 'scripted', preset: null, settings: '{}', sealedSecrets: null, limits: '[]', concurrency: 20 }, w.now()))
    authorities.push(scripted(w, id, how))
  }
  const byId = new Map(authorities.map((authority) => [authority.id, authority]))
  const deps = { database, now: w.now, authorityOf: async (_db: unknown, id: AuthorityId) => byId.get(id)?.connector ?? assert.fail(`nobody scripted ${id}`) }
  Object.assign(w.planeKinds, { 'submit-order': submitOrderKind(deps), 'abandon-request': abandonRequestKind(deps), 'advance-validation': { run: async () => async () => {}, failed: async () => {} } })
  const bot: TestBot = await w.addBot('a')
  const [first] = authorities
  assert.ok(first)

  async function order({ names = ['a.example', 'b.example'], commonName = null, fallbacks = [], validation = {}, replaces, hours = 24 }: Ordering = {}): Promise<OrderRow> {
    const certificateId: CertificateId = await w.addCertificate(names)
    return database.transaction((tx, wake) => startOrder(tx, wake, {
      certificateId, actionId: null, authorityId: first?.id ?? 'ath_', commonName, keyAlgorithm: 'ec-256', validityDays: null, custody: 'endpoint', botId: bot.id, reuseKeyId: null, csrPem: null, requester: 'user:test', reason: 'Ordered.', nextAction: 'The bot makes the key.',
      names, deadline: new Date(w.now().getTime() + hours * 3_600_000), fallbacks: toJson(fallbacks.map(({ id }) => id)), validation: toJson({ ...validationDefaults, ...validation }), replacesVersionId: replaces ?? null,
    }, w.now()))
  }
  const now = async ({ id }: Pick<OrderRow, 'id'>) => getOrder(database.db, id)
  const attempts = async ({ id }: Pick<OrderRow, 'id'>) => (await attemptsOf(database.db, id)).map(({ authorityId, state }) => `${authorities.findIndex((each) => each.id === authorityId) + 1} ${state}`)
  const events = async ({ id }: Pick<OrderRow, 'id'>) => (await listEvents(database.db, { orderId: id }, 500)).toReversed()
  /** Everything that falls due in so many minutes. */
  async function live(minutes: number): Promise<void> {
    for (let i = 0; i < minutes; i++) {
      await w.settle()
      w.clock.pass(60)
    }
    await w.settle()
    await w.watch()
  }
  return { w, bot, authorities, first, order, read: now, attempts, events, live }
}
export type OrderWorld = Awaited<ReturnType<typeof makeOrderWorld>>
