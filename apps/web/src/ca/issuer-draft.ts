import type { Issuer, IssuerInput, KeyAlgorithm } from '@certloop/api-client'
import { constraintsOf, type Constraint } from './constraint-fields.tsx'
import { publishingOf, usualPublishing, type Publishing } from './publishing-fields.tsx'
import type { Attribute } from './subject-fields.tsx'

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
    ...(what === 'intermediate' ? { profile } : {}), ...(nameConstraints === undefined ? {} : { nameConstraints }), ...publishingOf(publishing),
  }
}
