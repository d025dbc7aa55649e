import type { ChangeNotice } from '@certloop/api-client'
import type { OptionSpecs } from './command.ts'
import type { Context } from './context.ts'
import { exitCodes, Failure, isApiProblem } from './failure.ts'
import { cleanText } from './format/clean.ts'
import { wholeNumber } from './parse.ts'

export const waitOptions = {
  wait: { type: 'boolean', help: 'follow it to its end, showing each step' },
  timeout: { type: 'string', value: 'SECONDS', help: 'with --wait: give up following after this long (the work goes on)' },
} as const satisfies OptionSpecs
export const followOptions = {
  follow: { type: 'boolean', help: 'follow it to its end, showing how it stands' },
  timeout: { type: 'string', value: 'SECONDS', help: 'with --follow: give up following after this long (the work goes on)' },
} as const satisfies OptionSpecs
export const readTimeout = (text: string | undefined): number | undefined => wholeNumber('timeout', text, 1, 86_400)

export interface Look<T> {
  value: T
  /** All that is known to have happened, in order. Each key is shown once. */
  lines: readonly { key: string; text: string }[]
  /** How it stands: on a terminal one line that is written over, elsewhere a line now and then. */
  standing?: string
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
/** Much that happens at once is looked at once. */
const restMs = 200

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
  const printed = printer(context)
  let lost = false
  try {
    for (;;) {
      const seen = await lookOnce(look)
      if (seen) {
        lost = false
        printed.show(seen)
        if (seen.ended) return seen.value
      } else if (!lost) {
        lost = true
        printed.breakLine()
        context.note('The control plane does not answer; still waiting for it.')
      }
      if (interrupted) throw new Failure({ exit: exitCodes.interrupted, what: 'No longer following; the work goes on.', remedy: `See how it is doing: ${later}` })
      const left = end - world.now().getTime()
      if (left <= 0) throw new Failure({ exit: exitCodes.failed, what: `It has not ended within ${timeoutSeconds} seconds; the work goes on.`, remedy: `See how it is doing: ${later}` })
      await bell.heard(Math.min(lookEveryMs, left), seen?.standing === undefined ? 0 : restMs)
    }
  } finally {
    printed.breakLine()
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

function printer(context: Context) {
  const shown = new Set<string>()
  const stand = standingPrinter(context)
  return {
    show({ lines, standing, ended }: Look<unknown>): void {
      for (const { key, text } of lines) {
        if (shown.has(key)) continue
        shown.add(key)
        stand.clear()
        context.note(text)
      }
      if (standing !== undefined) stand.show(standing, ended)
    },
    breakLine: stand.breakLine,
  }
}

/** Without a terminal a line every so often is enough for a log. */
const standingEveryMs = 5_000

/** A terminal shows one line that is written over; other places get whole lines. */
export function standingPrinter({ world, json, note }: Pick<Context, 'world' | 'json' | 'note'>) {
  const isLive = world.errIsTerminal && !json
  let last = ''
  let lastAt = -Infinity
  let isOpen = false
  const leave = (text: string) => { if (isOpen) world.err(text); isOpen = false }
  const clear = () => { leave('\r\u001b[2K') }
  const showLive = (text: string) => {
    if (isOpen && text === last) return
    clear()
    world.err(cleanText(text))
    isOpen = true
  }
  return {
    clear,
    breakLine: () => { leave('\n') },
    show(text: string, ended: boolean): void {
      const now = world.now().getTime()
      if (isLive) showLive(text)
      else if (text === last || (!ended && now - lastAt < standingEveryMs)) return
      else note(text)
      if (ended) leave('\n')
      last = text
      lastAt = now
    },
  }
}

/** Remembers a ring that came while nobody listened. */
function createBell() {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring: () => { rung = true; wake?.() },
    /** @param rest at least this long, also when it rings at once */
    async heard(ms: number, rest = 0): Promise<void> {
      if (rest > 0) await new Promise((resolve) => { setTimeout(resolve, Math.min(rest, ms)) })
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
