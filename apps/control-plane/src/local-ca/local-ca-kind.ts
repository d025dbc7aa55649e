import { CertloopError, field, fieldsObject, keyAlgorithms, subjectPartNames, subjectTypes } from '@certloop/contract'
import type { AuthorityManifest } from '@certloop/plugin-kit'
import type { AuthorityKind, FieldValues } from '../authority/authority-kinds.ts'
import { chainAbove, issuerInSlot } from './issue.ts'
import { localCaAuthority } from './local-ca-authority.ts'
import { getProfile } from './profile-store.ts'
import { profileForOrders } from './review-request.ts'

const usualProfile = 'server'

const manifest: AuthorityManifest = {
  id: 'local-ca',
  title: 'Built-in CA',
  summary: 'Issues for any name at once, for clients that trust its root. Part of the control plane.',
  fields: fieldsObject({
    profile: field.text({ label: 'Profile', help: 'The issuance profile of requests that name none. The profiles are listed under the built-in CA.', default: usualProfile }),
  }),
  presets: [],
  abilities: ['revoke', 'suspend', 'resume', 'templates', 'find'],
  validationMethods: ['none'],
  certificateTypes: ['other'],
  keyAlgorithms,
}

/** Rows of the first releases have no fields. */
const profileIn = ({ profile }: FieldValues): string => (typeof profile === 'string' ? profile : usualProfile)
const isCode = (error: unknown, code: CertloopError['code']): error is CertloopError => error instanceof CertloopError && error.code === code

/** The built-in CA as one kind of authority among others. */
export const localCaKind: AuthorityKind = {
  manifest,
  single: true,
  connect: async ({ fields, now }, { localCa, db }) => localCaAuthority(localCa, { db, profile: profileIn(fields), now }),
  async problems(db, fields) {
    try {
      await profileForOrders(db, profileIn(fields))
      return []
    } catch (error) {
      if (isCode(error, 'AUTHORITY_REJECTED')) return [{ field: 'profile', problem: error.message }]
      throw error
    }
  },
  async limits(db, fields, profile) {
    try {
      const { rules } = await getProfile(db, profile ?? profileIn(fields))
      return { subjectParts: subjectPartNames.filter((name) => rules.subjectAttributes.includes(subjectTypes[name])), defaultValidityDays: rules.defaultValidityDays, longestValidityDays: rules.maximumValidityDays }
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return undefined
      throw error
    }
  },
  async chain({ localCa }) {
    const issuers = await localCa.issuers()
    return chainAbove(issuerInSlot(issuers, 'intermediate'), issuers)
  },
}
