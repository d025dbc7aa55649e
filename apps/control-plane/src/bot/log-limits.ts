import type { DeployLogEntry } from '@certloop/contract'

const mostLines = 1000
const mostCharacters = 20_000

const cutText = (text: unknown) => (typeof text === 'string' && text.length > mostCharacters ? `${text.slice(0, mostCharacters).toWellFormed()}…` : text)
const cutLine = <T>(line: T): T => {
  if (typeof line !== 'object' || line === null) return line
  const { message, output } = line as { message?: unknown; output?: unknown }
  return { ...line, ...(message === undefined ? {} : { message: cutText(message) }), ...(output === undefined ? {} : { output: cutText(output) }) }
}

/** The log of a deployment as it is kept: its newest lines, long texts cut. */
export function cutLog(log: readonly DeployLogEntry[]): DeployLogEntry[] {
  const [last] = log.slice(-1)
  if (log.length <= mostLines || !last) return log.map(cutLine)
  const kept = log.slice(1 - mostLines)
  const note = `${log.length - kept.length} earlier lines were left out.`
  return [{ at: kept[0]?.at ?? last.at, step: null, phase: last.phase, ok: true, message: note, output: null, durationMs: null }, ...kept.map(cutLine)]
}

/** The same for a result whose shape is not checked yet: words too many must not cost a deployment its outcome. */
export function cutResultLog(data: unknown): unknown {
  const log = (data as { log?: unknown } | null | undefined)?.log
  return Array.isArray(log) ? { ...data as object, log: cutLog(log as DeployLogEntry[]) } : data
}
