import type { Issuer, IssuerInput, KeyAlgorithm } from '@certloop/api-client'

export interface Attribute { type: string; value: string }

type NameConstraints = NonNullable<IssuerInput['nameConstraints']>
/** One line of the name constraints: only these names, or never these. */
export interface Constraint { type: NameConstraints['permitted'][number]['type']; value: string; only: boolean }

/** Rows without text are left out; undefined when none is left. */
function constraintsOf(rows: readonly Constraint[]): NameConstraints | undefined {
  const of = (only: boolean) => rows.filter((row) => row.only === only && row.value.trim() !== '').map(({ type, value }) => ({ type, value: value.trim() }))
  const [permitted, excluded] = [of(true), of(false)]
  return permitted.length + excluded.length === 0 ? undefined : { permitted, excluded }
}

/** How an issuer publishes, as a form has it; '' while a number is being written. */
export interface Publishing { crlShards: number | ''; crlHours: number | ''; deltaCrl: boolean; ocspMinutes: number | '' }

/** Nothing is asked for: the control plane knows what is usual. */
const usualPublishing: Publishing = { crlShards: '', crlHours: '', deltaCrl: false, ocspMinutes: '' }

/** What is left empty is left out: then what was there before holds. */
export function publishingOf({ crlShards, crlHours, deltaCrl, ocspMinutes }: Publishing): { crlShards?: number; crlHours?: number; deltaCrl: boolean; ocspMinutes?: number } {
  return { ...(crlShards === '' ? {} : { crlShards }), ...(crlHours === '' ? {} : { crlHours }), deltaCrl, ...(ocspMinutes === '' ? {} : { ocspMinutes }) }
}

/** What is made: a root; an intermediate that an issuer here signs; one that somebody outside signs. */
export type Making = 'root' | 'intermediate' | 'outside'

/** An issuer to be, as its form has it. */
export interface IssuerDraft {
  what: Making
  name: string
  /** null: like the name. */
  commonName: string | null
  subject: Attribute[]
  keyAlgorithm: KeyAlgorithm
  hash: NonNullable<IssuerInput['hash']> | null
  keyPlace: 'sealed' | 'pkcs11'
  pkcs11Label: string
  signedBy: string | null
  profile: string
  validityDays: number | ''
  /** '': not limited, for a root. */
  pathLength: number | ''
  constraints: Constraint[]
  publishing: Publishing
}

const usual = {
  root: { keyAlgorithm: 'ec-384', validityDays: 3652, pathLength: '' },
  intermediate: { keyAlgorithm: 'ec-256', validityDays: 1826, pathLength: 0 },
  outside: { keyAlgorithm: 'ec-256', validityDays: 1826, pathLength: 0 },
} as const satisfies Record<Making, Pick<IssuerDraft, 'keyAlgorithm' | 'validityDays' | 'pathLength'>>

export function newDraft(what: Making, signedBy: string | null): IssuerDraft {
  return { what, name: '', commonName: null, subject: [], hash: null, keyPlace: 'sealed', pkcs11Label: '', signedBy, profile: 'subordinate-ca', constraints: [], publishing: usualPublishing, ...usual[what] }
}

/** Another kind brings its own usual values; what a person wrote about the CA itself stays. */
export const asKind = (draft: IssuerDraft, what: Making): IssuerDraft => ({ ...draft, what, ...usual[what] })

/** The request for a draft. Lists and numbers left empty are left out. */
export function inputOf(draft: IssuerDraft): IssuerInput {
  const { what, name, commonName, subject, keyAlgorithm, hash, keyPlace, pkcs11Label, signedBy, profile, validityDays, pathLength, constraints, publishing } = draft
  const attributes = subject.filter(({ value }) => value.trim() !== '').map(({ type, value }) => ({ type, value: value.trim() }))
  const nameConstraints = constraintsOf(constraints)
  return {
    name: name.trim(), commonName: (commonName ?? name).trim(), keyAlgorithm, validityDays: validityDays === '' ? usual[what].validityDays : validityDays,
    signedBy: what === 'root' ? 'self' : what === 'outside' ? 'outside' : signedBy as Issuer['id'],
    // Only a root can be without a limit.
    pathLength: pathLength === '' ? (what === 'root' ? null : 0) : pathLength,
    ...(attributes.length === 0 ? {} : { subject: attributes }), ...(hash === null ? {} : { hash }), ...(keyPlace === 'sealed' ? {} : { pkcs11Label: pkcs11Label.trim() }),
    ...(profile === 'subordinate-ca' ? {} : { profile }), ...(nameConstraints === undefined ? {} : { nameConstraints }), ...publishingOf(publishing),
  }
}
