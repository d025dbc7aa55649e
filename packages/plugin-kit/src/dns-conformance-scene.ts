import { CertloopError, secretFields } from '@certloop/contract'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestSteps } from './authority.ts'
import type { DnsProviderConnector, DnsProviderEntry, TextRecord } from './dns-provider.ts'
import { addressGuard, createOutbound, type Outbound, type OutboundRequest, type OutboundResponse } from './outbound.ts'

export type DnsFields = Record<string, unknown>
/** One record as the server holds it. Of TXT the text itself: without the quotes and backslashes of zone files, its parts joined. */
export interface HeldRecord { type: string; value: string }

/** A server or simulator that runs, seen from both sides: as the connector sees it, and from within. */
export interface DnsSubject {
  /** To work with, secrets among them. Secrets are told apart by their length: make them 12 characters or longer. */
  fields: DnsFields
  /** The same with credentials that the server refuses. */
  wrongCredentials: DnsFields
  /** What is secret within a secret field, such as the passwords of a list. */
  secrets?: readonly string[]
  /** A zone that may be written. */
  zone: string
  /** A zone below that one, where it can hold both: the longer one has to be found. */
  zoneBelow?: string
  /** Where only some names can be written: one of them, for all tests. Default: names below the zone, a new one for each test. */
  recordName?: string
  /** What the server holds at the name, asked past the connector; empty when there is nothing. The order does not matter. */
  held(name: string): Promise<HeldRecord[]>
  /** Puts a record of somebody else's there, past the connector, and keeps what is there. Not needed where the manifest says keepsLatest. */
  put?(name: string, record: HeldRecord): Promise<void>
  /** Where calls to the vendor's address go in the test: gives the same request with the address of the simulator. */
  via?(request: OutboundRequest): OutboundRequest
  /** Of what does not go through `outbound`: makes the server unreachable. @returns what makes it reachable again */
  cut?(): Promise<() => Promise<unknown>>
}

/** Stands between connector and server. Absent: all goes through. */
export type Between = (request: OutboundRequest, pass: () => Promise<OutboundResponse>) => Promise<OutboundResponse>

export interface DnsScene {
  readonly entry: DnsProviderEntry
  readonly subject: DnsSubject
  /** A new connector, as another process would have it; what goes wrong in it has to be a CertloopError. */
  connector(options?: { fields?: DnsFields; between?: Between; signal?: AbortSignal }): Promise<DnsProviderConnector>
  /** A record that no other test has. */
  record(label: string, value: string): TextRecord & { ttl: number }
  /** The TXT values at a name, sorted. */
  texts(name: string): Promise<string[]>
  /** Runs one after the other what has the same key, as the platform does by `oneAtATime`. */
  inTurn<T>(record: TextRecord, run: () => Promise<T>): Promise<T>
  /** Everything that people get to see or that is kept in the clear: errors, receipts, what tests saw. */
  readonly said: unknown[]
  readonly secrets: readonly string[]
  now(): Date
  /** Whether anything went through `outbound`. */
  usesHttp(): boolean
}

/** As an ACME authority wants it: 43 characters. The same for the same number. */
export const valueNumber = (number: number): string => createHash('sha256').update(`value ${number}`).digest('base64url')

/** Puts the steps of a test into a list. */
export function listingSteps(steps: { title: string; seen: string }[]): TestSteps {
  return {
    async step(title, run, seen) {
      const result = await run()
      steps.push({ title, seen: seen(result) })
      return result
    },
  }
}

export async function dnsSceneOf(entry: DnsProviderEntry, subject: DnsSubject): Promise<DnsScene> {
  const { manifest } = entry
  const said: unknown[] = []
  const make = await entry.connector()
  let calls = 0
  const outbound = (between: Between = (_, pass) => pass()) => ({ trustPem }: { trustPem?: string } = {}): Outbound => {
    const real = createOutbound({ guard, unreachable: 'DNS_PROVIDER_UNREACHABLE', userAgent: 'certloop-conformance', ...(trustPem === undefined ? {} : { trustPem }) })
    return { request: (request) => { calls++; return between(request, () => real.request(subject.via?.(request) ?? request)) } }
  }
  const turns = new Map<string, Promise<unknown>>()
  const secretsOf = (fields: DnsFields) => secretFields(manifest.fields).flatMap((name) => (typeof fields[name] === 'string' ? [fields[name]] : []))
  return {
    entry, subject, said, secrets: [...new Set([...secretsOf(subject.fields), ...secretsOf(subject.wrongCredentials), ...subject.secrets ?? []])],
    usesHttp: () => calls > 0, now,
    async connector({ fields = subject.fields, between, signal = new AbortController().signal } = {}) {
      return listenedTo(make({ name: 'conformance', fields, guard, outbound: outbound(between), now, random: () => 0.5, wait: (milliseconds) => sleep(Math.min(milliseconds, 20), undefined, { signal }), signal }), said)
    },
    record: (label, value) => ({ zone: subject.zone, name: subject.recordName ?? `_acme-challenge.${label}.${subject.zone}`, value, ttl: manifest.lowestTtl }),
    texts: async (name) => (await subject.held(name)).filter(({ type }) => type === 'TXT').map(({ value }) => value).toSorted(),
    inTurn({ zone, name }, run) {
      const key = manifest.oneAtATime === 'zone' ? zone : name
      const done = (turns.get(key) ?? Promise.resolve()).then(run, run)
      turns.set(key, done)
      return done
    },
  }
}

// oxlint-disable-next-line certloop/no-ambient-time-or-chance -- this is a test: signatures and Retry-After are of the present time
const now = (): Date => new Date()
const guard = addressGuard(['127.0.0.0/8', '::1', 'private'])

/** The same connector; what it says is written down, and an error without a code fails the test. */
function listenedTo(connector: DnsProviderConnector, said: unknown[]): DnsProviderConnector {
  return new Proxy(connector, {
    get(whole, name) {
      const method: unknown = Reflect.get(whole, name)
      if (typeof method !== 'function') return method
      return async (...given: unknown[]): Promise<unknown> => {
        try {
          const result: unknown = await method.apply(whole, given)
          said.push(result)
          return result
        } catch (error) {
          if (!(error instanceof CertloopError)) throw new Error(`${String(name)} threw something without a code: ${String(error)}`, { cause: error })
          said.push(error.toWire())
          throw error
        }
      }
    },
  })
}

/** Rejects with this code and a message of some length. @returns the error */
export async function failsWith(run: Promise<unknown>, ...codes: string[]): Promise<CertloopError> {
  const error = await run.then(() => undefined, (thrown: unknown) => thrown)
  assert.ok(error instanceof CertloopError, error === undefined ? `it did not fail with ${codes.join(' or ')}` : `it failed without a code: ${error instanceof Error ? error.stack : JSON.stringify(error)}`)
  assert.ok(codes.includes(error.code), `it failed with ${error.code} and not with ${codes.join(' or ')}: ${error.message}`)
  assert.ok(error.message.length > 15, `the message says too little: ${error.message}`)
  return error
}

export type Run = (t: TestContext, scene: DnsScene) => Promise<void>
