import type { AuthorityAbility, AuthorityPreset, CsrRequest, KeyAlgorithm, RateLimit, RevocationReasonToGive, ValidationMethod, WireError } from '@certloop/contract'
import type { Static, TObject } from 'typebox'
import type { Outbound } from './outbound.ts'

/** Public half of a connector to certificate authorities: read by the control plane, the pages and the docs. */
export interface AuthorityManifest<F extends TObject = TObject> {
  /** Stored in the database and equal to the folder's name: never rename. */
  id: string
  title: string
  summary: string
  docsUrl?: string
  fields: F
  presets: readonly AuthorityPreset[]
  /** All that some authority of this kind can do; a connector has the methods that go with them. */
  abilities: readonly AuthorityAbility[]
  validationMethods: readonly ValidationMethod[]
  certificateTypes: readonly CertificateType[]
  keyAlgorithms: readonly KeyAlgorithm[]
  /** What the schema can't say, each with the field's name. */
  check?: (fields: Static<F>) => { field: string; problem: string }[]
}
export type CertificateType = 'dv' | 'ov' | 'ev' | 'other'

/** What one configured authority keeps between calls, sealed: account keys and addresses. Values are text. */
export interface Memory {
  read(): Promise<Readonly<Record<string, string>>>
  /** Applied to what is there now, in one transaction; two callers at once go one after the other. @returns what is kept then */
  change(apply: (present: Readonly<Record<string, string>>) => Record<string, string>): Promise<Readonly<Record<string, string>>>
}

/** What a connector is given. Its fields include the secret ones. */
export interface AuthorityContext<Fields = Record<string, unknown>> {
  /** Of the configured authority, for messages. */
  name: string
  fields: Fields
  memory: Memory
  /** Makes a way out that trusts these roots (PEM) in place of the system's. */
  outbound(options?: { trustPem?: string }): Outbound
  now: () => Date
  /** 0 <= value < 1 */
  random: () => number
}

/** What one call may do besides answering. */
export interface Call {
  /** Of the task that is under way: aborted when its lease is lost or the process stops. */
  signal: AbortSignal
  /** A line in the timeline of the order: what was asked and what came back, in plain words, without secrets. */
  note(message: string): void
  /**
   * Keeps how the request is found again at the authority, before anything more is done; durable when it returns.
   * @param to issues false: nothing is issued for it before one is kept without that. Default true: it may be issued from now on
   * @throws CertloopError LEASE_LOST: another worker has the order, or it was cancelled; stop at once
   */
  keep(handle: Handle, to?: { issues: boolean }): Promise<void>
}
/** How a request is found again at the authority. JSON, below 20 kB, no secrets. */
export type Handle = Readonly<Record<string, unknown>>

/** Where a request stands at the authority. */
export type Progress =
  /** PEM, leaf first, without the root. */
  | { state: 'issued'; chainPem: string[] }
  /** Nothing to do but to ask again. */
  | { state: 'waiting'; handle: Handle; reason: string; pollSeconds: number }
  /** Names are to be proven, or are being looked at. */
  | { state: 'proving'; handle: Handle; proofs: WantedProof[]; /** When the request runs out there. */ expires: Date | null; pollSeconds: number }

/** One name to be proven. */
export interface WantedProof {
  /** The same at each look, and of this request alone. */
  id: string
  /** Without "*." */
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  /** wanted: nobody said that it is in place. asked: the authority was told to look. */
  state: 'wanted' | 'asked' | 'valid' | 'invalid'
  /** Of an invalid one: what the authority saw. */
  error?: WireError
  ways: ProofWay[]
}
/** One way to prove it. `id` goes back with `prove`. */
export type ProofWay = { id: string } & (
  /** The path begins with a slash; the address is http://name:port/path. */
  | { kind: 'http'; path: string; content: string; port: number }
  /** Without a dot at the end. `persist`: the record stays and serves later requests too. */
  | { kind: 'dns'; recordName: string; recordType: 'TXT' | 'CNAME'; value: string; persist: boolean }
  /** RFC 8737. SHA-256 of the key authorization, hex. */
  | { kind: 'tls-alpn'; digest: string; port: number }
)

/** What was issued by this authority. */
export interface IssuedBefore { certificatePem: string; fingerprint: string; serialNumber: string; /** Of the order. */ reference: string | null }
export interface IssueRequest {
  /** The order's own id: asked twice with the same one, the authority is not to issue twice. */
  reference: string
  csrPem: string
  /** DNS names in A-label form and IP addresses. */
  names: readonly string[]
  commonName: string | null
  keyAlgorithm: KeyAlgorithm
  validityDays: number | null
  /** What the request holds besides names and key. */
  request?: CsrRequest
  /** Which of its profiles it is to issue by; default the one it issues by otherwise. */
  profile?: string | null
  /** What a renewal takes the place of. */
  replaces?: IssuedBefore
}
export type ReviewedRequest = Pick<IssueRequest, 'names' | 'commonName' | 'keyAlgorithm' | 'validityDays' | 'request' | 'profile'>
export interface Reviewed { refused: { field: string; problem: string }[]; otherwise: { field: string; problem: string }[] }
/** When it would like a certificate to be renewed (RFC 9773). */
export interface RenewalWindow { start: Date; end: Date; askAgainAt?: Date; explanationUrl?: string }
/** A step of a test as it is done; throws what went wrong. */
export interface TestSteps { step<T>(title: string, run: () => Promise<T>, seen: (result: T) => string): Promise<T> }

/**
 * A configured connector. Every method can be called again at any time, also after a crash in its middle.
 * @throws CertloopError from each: AUTHORITY_UNREACHABLE (facts.sent "no" or "maybe"), AUTHORITY_NOT_TRUSTED,
 * AUTHORITY_RATE_LIMITED (facts.retryAt, UTC ISO 8601), AUTHORITY_ACCOUNT_REFUSED, AUTHORITY_TERMS_NOT_AGREED,
 * AUTHORITY_ANSWER_INVALID, AUTHORITY_REJECTED. What a method adds is said there.
 */
export interface AuthorityConnector {
  kind: string
  keyAlgorithms: readonly KeyAlgorithm[]
  /** How the authority wants to see that the names are ours. "none" alone: it asks for no proof. */
  validationMethods: readonly ValidationMethod[]
  certificateTypes: readonly CertificateType[]
  /**
   * Nothing is issued before a handle was kept in the same call, with `submit` and `proceed` alike: a request without one, and a
   * call that failed without keeping one, have certainly led to nothing. So it has to be where there is no `find`.
   */
  keepsFirst?: boolean
  /** Known to everybody's browser: what is lost with a key is lost everywhere. */
  isPublic?: boolean
  limits?: readonly RateLimit[]
  /** What CAA records have to name for it to issue (RFC 8659), and the account (RFC 8657); may ask it once and remember. */
  caa?(): Promise<{ identities: string[]; accountUri: string | null }>
  /** What is known of it and of the account there, for people, without asking it. */
  facts?(): Promise<Record<string, string>>
  /** What it would refuse of a request, or give otherwise, each at the field of the configuration ("csr/validityDays"); nothing is asked for. */
  review?(request: ReviewedRequest): Promise<Reviewed>
  /**
   * Asks for one certificate. Where it can't be found by its reference, the handle is kept before anything that can't be repeated.
   * @throws CertloopError NAME_REFUSED (facts.names, with commas), PROFILE_REFUSED, CAA_FORBIDS, ISSUER_EXPIRED, KEY_ALGORITHM_UNSUPPORTED
   */
  submit(request: IssueRequest, call: Call): Promise<Progress>
  /**
   * Looks at what was submitted and does the next thing. @throws as submit; ORDER_EXPIRED: it ran out there or was given up,
   * nothing was or will be issued for this handle, and it can be submitted again; VALIDATION_REFUSED (facts.names);
   * ORDER_UNCERTAIN: it can't be known what became of it, a person has to look
   */
  proceed(request: IssueRequest, handle: Handle, call: Call): Promise<Progress>
  /** Looks a request up by its reference, after a crash before its handle was kept. undefined: it has none. Absent: it can't be known. */
  find?(request: IssueRequest, call: Call): Promise<Progress | undefined>
  /** The proof is in place: the authority may look. Repeating is harmless. */
  prove?(handle: Handle, proof: { id: string; wayId: string }, call: Call): Promise<void>
  /** It is not wanted any more: frees what waits for it there. */
  abandon?(handle: Handle, call: Call): Promise<void>
  /** For ever. Asked again for what is revoked already, it succeeds. */
  revoke?(certificate: IssuedBefore, reason: RevocationReasonToGive): Promise<void>
  /** certificateHold (RFC 5280, 5.3.1), and taking it back. Repeating is harmless. */
  suspend?(certificate: IssuedBefore): Promise<void>
  resume?(certificate: IssuedBefore): Promise<void>
  /** undefined: it has no wish. */
  renewalWindow?(certificate: IssuedBefore): Promise<RenewalWindow | undefined>
  /** Its profiles or templates by name. */
  templates?(): Promise<{ name: string; description: string }[]>
  /** Replaces the key of the account. A crash in its middle leaves one of both keys that works, and the next call finds out which. */
  rollAccountKey?(call: Pick<Call, 'signal' | 'note'>): Promise<void>
  /** Address, trust, account, without issuing anything. The steps say what was tried and seen. */
  test(steps: TestSteps): Promise<void>
}

export interface AuthorityEntry<F extends TObject = TObject> {
  manifest: AuthorityManifest<F>
  connector: () => Promise<(context: AuthorityContext<Static<F>>) => AuthorityConnector>
}
/** One line of the registry. */
export function authorityPlugin<F extends TObject>(manifest: AuthorityManifest<F>, connector: AuthorityEntry<F>['connector']): AuthorityEntry {
  return { manifest, connector } as unknown as AuthorityEntry
}
