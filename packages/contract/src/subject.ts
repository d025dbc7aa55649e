import type { SubjectAttributes } from './api/provisioning-resources.ts'

/** How the parts of a subject are called in distinguished names, from the general to the particular as they are written. */
export const subjectTypes = {
  country: 'C', stateOrProvince: 'ST', locality: 'L', street: 'street', postalCode: 'postalCode', organization: 'O', organizationalUnit: 'OU', serialNumber: 'serialNumber', emailAddress: 'emailAddress',
} as const satisfies Record<keyof SubjectAttributes, string>
export type SubjectPartName = keyof typeof subjectTypes
export const subjectPartNames = Object.keys(subjectTypes) as SubjectPartName[]

/** A subject as distinguished names have it, without the common name. */
export const subjectPartsOf = (subject: SubjectAttributes): { type: string; value: string }[] =>
  subjectPartNames.flatMap((name) => (subject[name] === undefined ? [] : [{ type: subjectTypes[name], value: subject[name] }]))
