import type { RateLimit } from '@certloop/api-client'
import { usage } from '../failure.ts'
import { durationText, readDuration } from '../configuration/words.ts'

const kinds = ['order', 'domain', 'same-names', 'failure'] as const satisfies readonly RateLimit['kind'][]

/** "order=300/3h", "domain=50/7d,new": so many in so long; "new" leaves out renewals that the authority was told of. @throws Failure */
export function readLimits(given: readonly string[] | undefined): RateLimit[] | undefined {
  return given?.filter((text) => text !== '').map((text) => {
    const [, kind, count, time = '', alone] = /^([a-z-]+)=(\d{1,8})\/(\d+[smhd])(,new)?$/.exec(text) ?? []
    const known = kinds.find((one) => one === kind)
    if (known === undefined) throw usage(`--limit takes a limit such as order=300/3h or domain=50/7d,new; not "${text}".`, `Kinds: ${kinds.join(', ')}.`)
    return { kind: known, count: Number(count), seconds: readDuration('limit', time), renewalsCount: alone === undefined }
  })
}

const what: Record<RateLimit['kind'], string> = { 'order': 'orders of the account', 'domain': 'certificates of a registered domain', 'same-names': 'certificates with the same names', 'failure': 'failed validations of a name' }

export const limitText = ({ kind, count, seconds, renewalsCount }: RateLimit): string =>
  `${count} ${what[kind]} in ${durationText(seconds)}${renewalsCount || kind === 'failure' ? '' : ', renewals it was told of not counted'}`
