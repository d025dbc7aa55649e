import type { IssuerInput } from '@certloop/api-client'
import type { OptionSpecs } from '../command.ts'
import { usage } from '../failure.ts'

export const subjectOption = {
  subject: { type: 'string', value: 'TYPE=VALUE', multiple: true, help: 'an attribute of the subject beside the common name, e.g. O=Company; repeat for more, in the order of the certificate' },
} as const satisfies OptionSpecs

/** "O=Company" → { type: 'O', value: 'Company' }. @throws Failure */
export function readSubject(texts: readonly string[] | undefined): IssuerInput['subject'] {
  return texts?.map((text) => {
    const [, type, value] = /^([A-Za-z]{1,80}|\d+(?:\.\d+)+)=(.+)$/s.exec(text) ?? []
    if (type === undefined || value === undefined) throw usage(`--subject takes an attribute such as O=Company or C=DE, not "${text}".`)
    if (type.toUpperCase() === 'CN') throw usage('The common name is given with --common-name, not with --subject.')
    return { type, value }
  })
}
