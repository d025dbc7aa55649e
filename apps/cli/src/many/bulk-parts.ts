import type { BulkParts } from '@certloop/api-client'
import type { Given, OptionSpecs } from '../command.ts'
import { csrOptions, csrPart } from '../configuration/csr-options.ts'
import { fallbackPart, wholeOptions } from '../configuration/meant.ts'
import { rolloutAfter, rolloutOptions } from '../configuration/rollout-options.ts'
import { renewalOptions, renewalPart, timingAfter, timingOptions, zoneOption } from '../configuration/schedule-options.ts'
import { readValidation, validationOptions } from '../configuration/validation-options.ts'
import { present } from '../configuration/words.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findAuthority } from '../find.ts'

/** The options of "certificate configure" that can be the same for many certificates. */
export const partOptions = {
  ...wholeOptions, ...csrOptions, ...validationOptions, ...renewalOptions, ...timingOptions, ...zoneOption, ...rolloutOptions,
  complete: { type: 'boolean', help: 'complete the drafts among them' },
} as const satisfies OptionSpecs
type PartsGiven = Given<Record<never, never>, typeof partOptions>['options']

const unlessEmpty = <T extends object>(part: T): T | undefined => (Object.keys(part).length > 0 ? part : undefined)

/** @throws Failure when nothing is to be changed */
export async function readParts(context: Context, o: PartsGiven): Promise<BulkParts> {
  const parts: BulkParts = present({
    complete: o.complete === true ? true as const : undefined,
    authorityId: o.authority === undefined ? undefined : await findAuthority(context, o.authority), csr: unlessEmpty(await csrPart(context, o)), validation: await readValidation(context, o), ...await fallbackPart(context, o),
    renewal: unlessEmpty(renewalPart(o)), deployAfterRenewal: o['deploy-after-renewal'], deployment: timingAfter(o, undefined, o.zone ?? context.world.zone), rollout: rolloutAfter(o), rollback: o.rollback, approval: o.approval,
  })
  if (Object.keys(parts).length === 0) throw usage('Say what is to be changed, with the options of "certificate configure".', 'certloop bulk preview --help')
  return parts
}
