export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold'
export type Paint = (colour: Colour, text: string) => string

const codes: Record<Colour, readonly [number, number]> = { red: [31, 39], green: [32, 39], yellow: [33, 39], dim: [2, 22], bold: [1, 22] }

/** Colour only for a terminal that can show it, and never against NO_COLOR (no-color.org). */
export function paintFor(isTerminal: boolean, env: Record<string, string | undefined>): Paint {
  const on = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return on ? (colour, text) => `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m` : (_, text) => text
}

const good = new Set(['deployed', 'complete', 'done', 'active', 'in-sync', 'issued', 'configured', 'good', 'ok', 'valid'])
const bad = new Set(['failed', 'deployment-failed', 'rolled-back', 'expired', 'revoked', 'missing', 'unexpected', 'uncertain', 'failing'])
const waiting = new Set(['expiring', 'out-of-sync', 'planned', 'inactive', 'never-joined', 'discovered', 'configuration-pending', 'held', 'retired'])

/** A state in the colour of what it means for people. */
export function paintState(paint: Paint, state: string): string {
  if (good.has(state)) return paint('green', state)
  if (bad.has(state)) return paint('red', state)
  return waiting.has(state) ? paint('yellow', state) : state
}
