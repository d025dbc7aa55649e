import { type RolloutSettings, rolloutDefault } from '@certloop/api-client'
import { rolloutModes } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import { usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'
import { present, readDuration } from './words.ts'

export const rolloutOptions = {
  'rollout': { type: 'string', value: 'MODE', choices: rolloutModes, help: 'together: all targets at once; in-order: one after the other, as listed; waves: as --canary and --wave say' },
  'canary': { type: 'string', value: 'COUNT', help: 'so many targets go first, by themselves; 0 for none' },
  'wave': { type: 'string', value: 'WAVE', multiple: true, help: 'a wave: a share of what is left (25%), all targets with a label (berlin), or both ("50% berlin"); repeat in order; what no wave takes goes last; "" for none' },
  'soak': { type: 'string', value: 'TIME', help: 'watch each wave this long after its proof before the next begins, e.g. 10m; 0s: do not' },
  'check-url': { type: 'string', value: 'URL', help: 'before the next wave this has to answer for each target; {host} stands for its address; "" for none' },
  'check-status': { type: 'string', value: 'NUMBER', help: 'status that it has to answer with; default 200' },
  'check-timeout': { type: 'string', value: 'TIME', help: 'wait this long for the answer, 1s to 60s; default 10s' },
  'approve-first-wave': { type: 'boolean', help: 'after the first wave a person lets it go on (--no-approve-first-wave)' },
  'stop-after-failures': { type: 'string', value: 'COUNT', help: 'begin no further wave after so many failures; default 1' },
  'on-stop': { type: 'string', value: 'WORD', choices: ['keep', 'undo'], help: 'when it stops, keep what was deployed, or undo it everywhere' },
} as const satisfies OptionSpecs
type RolloutGiven = Given<Record<never, never>, typeof rolloutOptions>['options']

function readWave(text: string): RolloutSettings['waves'][number] {
  const [, share, , label] = /^(?:(\d{1,3})%)?( +)?([^ %].*)?$/.exec(text.trim()) ?? []
  if (share === undefined && label === undefined) throw usage(`--wave takes a share such as 25%, a label, or both ("50% berlin"); not "${text}".`)
  if (share !== undefined && (Number(share) < 1 || Number(share) > 100)) throw usage(`A wave takes 1% to 100% of what is left, not ${share}%.`)
  return { share: share === undefined ? null : Number(share), label: label ?? null }
}

type HttpCheck = RolloutSettings['gate']['httpCheck']
function readCheck(o: RolloutGiven, before: HttpCheck): HttpCheck {
  const [url, status] = [o['check-url'], wholeNumber('check-status', o['check-status'], 100, 599)]
  const timeout = o['check-timeout'] === undefined ? undefined : readDuration('check-timeout', o['check-timeout'])
  if (timeout !== undefined && (timeout < 1 || timeout > 60)) throw usage('--check-timeout takes 1s to 60s.')
  if (url === '') return null
  if (url === undefined && before === null) {
    if ((status ?? timeout) !== undefined) throw usage('--check-status and --check-timeout go with --check-url.')
    return null
  }
  return { url: '', status: 200, timeoutSeconds: 10, ...before, ...present({ url, status, timeoutSeconds: timeout }) }
}

/** Who goes first. Who names waves wants them; who says "together" or "in-order" does not mean the canary and the waves of before. */
function orderAfter(o: RolloutGiven, before: RolloutSettings): Pick<RolloutSettings, 'mode' | 'canary' | 'waves'> {
  const waves = o.wave?.filter((text) => text !== '').map(readWave)
  const canary = wholeNumber('canary', o.canary, 0, 100)
  const named = [waves?.length, canary].map((many = 0) => many > 0)
  const mode = o.rollout ?? (named.includes(true) ? 'waves' : before.mode)
  if (mode !== 'waves' && named[0]) throw usage(`--wave goes with --rollout waves, not with ${mode}.`)
  const kept = o.rollout === undefined || o.rollout === 'waves' ? before : { canary: 0, waves: [] }
  return { mode, canary: canary ?? kept.canary, waves: waves ?? kept.waves }
}

/** The whole rollout after the options; undefined when they say nothing about it. @throws Failure */
export function rolloutAfter(o: RolloutGiven, before: RolloutSettings = rolloutDefault): RolloutSettings | undefined {
  if (Object.keys(rolloutOptions).every((name) => o[name as keyof RolloutGiven] === undefined)) return undefined
  const soakSeconds = o.soak === undefined ? undefined : readDuration('soak', o.soak)
  return {
    ...before, ...orderAfter(o, before), ...present({ stopAfterFailures: wholeNumber('stop-after-failures', o['stop-after-failures'], 1, 1000), onStop: o['on-stop'] }),
    gate: { ...before.gate, ...present({ soakSeconds, approval: o['approve-first-wave'] }), httpCheck: readCheck(o, before.gate.httpCheck) },
  }
}
