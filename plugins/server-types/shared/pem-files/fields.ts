import { field } from '@certloop/contract'

/** The field that each of these types has for its proof. */
export const proofSeconds = (defaultSeconds: number) =>
  field.optional(field.seconds({ label: 'Time for the proof', help: 'How long after the reload the new certificate may take to be served everywhere.', min: 1, max: 120, defaultSeconds }))
