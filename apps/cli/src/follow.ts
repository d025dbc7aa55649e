import type { ChangeNotice } from '@certloop/api-client'
import type { OptionSpecs } from './command.ts'
import type { Context } from './context.ts'
import { exitCodes, Failure, isApiProblem } from './failure.ts'
import { wholeNumber } from './parse.ts'

export const waitOptions = {
  wait: { type: 'boolean', help: 'follow it to its end, showing each step' },
  timeout: { type: 'string', value: 'SECONDS', help: 'with --wait: give up following after this long (the work goes on)' },
} as const satisfies OptionSpecs
export const readTimeout = (text: string | undefined): number | undefined => wholeNumber('timeout', text, 1, 86_400)

export interface Look<T> {
  value: T
  /** All that is known to have happened, in order. Each key is shown once. */
  lines: readonly { key: string; text: string }[]
  ended: boolean
}
export interface Following<T> {
  look: () => Promise<Look<T>>
  concerns: (notice: ChangeNotice) => boolean
  timeoutSeconds: number | undefined
  /** How to see it later, when following ends early. */
  later: string
}

/** Events make it quick; looking now and then makes it certain, should an event be lost. */
const lookEveryMs = 2_000

/**
 * Follows something to its end through live updates, printing each new line as it happens.
 * A control plane that stops and comes back is waited for.
 * @throws Failure at Ctrl-C and after the time given; ApiProblem when it can not be read (any more)
 */
export async function follow<T>(context: Context, { look, concerns, timeoutSeconds, later }: Following<T>): Promise<T> {
  const { world } = context
  const [client, { watchChanges }] = [await context.client(), await context.api()]
  const bell = createBell()
  const watch = watchChanges(client, { onOpen: bell.ring, onChange: (notice) => { if (concerns(notice)) bell.ring() } })
  let interrupted = false
  const stopListening = world.onInterrupt(() => { interrupted = true; bell.ring() })
  const end = timeoutSeconds === undefined ? Infinity : world.now().getTime() + timeoutSeconds * 1000
  const show = printer(context)
  let lost = false
  try {
    for (;;) {
      const seen = await lookOnce(look)
      if (seen) {
        lost = false
        show(seen)
        if (seen.ended) return seen.value
      } else if (!lost) {
        lost = true
        context.note('The control plane does not answer; still waiting for it.')
      }
      if (interrupted) throw new Failure({ exit: exitCodes.interrupted, what: 'No longer following; the work goes on.', remedy: `See how it is doing: ${later}` })
      const left = end - world.now().getTime()
      if (left <= 0) throw new Failure({ exit: exitCodes.failed, what: `It has not ended within ${timeoutSeconds} seconds; the work goes on.`, remedy: `See how it is doing: ${later}` })
      await bell.heard(Math.min(lookEveryMs, left))
    }
  } finally {
    stopListening()
    watch.close()
  }
}

/** Undefined when nobody answered; what else goes wrong is thrown. */
async function lookOnce<T>(look: () => Promise<Look<T>>): Promise<Look<T> | undefined> {
  try {
    return await look()
  } catch (error) {
    if (isApiProblem(error) && (error.status === 0 || error.status === 429 || error.status >= 502)) return undefined
    throw error
  }
}

function printer(context: Context): (look: Look<unknown>) => void {
  const shown = new Set<string>()
  return ({ lines }) => {
    for (const { key, text } of lines) {
      if (shown.has(key)) continue
      shown.add(key)
      context.note(text)
    }
  }
}

/** Remembers a ring that came while nobody listened. */
function createBell() {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring: () => { rung = true; wake?.() },
    async heard(ms: number): Promise<void> {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          wake = () => { clearTimeout(timer); resolve() }
        })
      }
      wake = undefined
      rung = false
    },
  }
}
