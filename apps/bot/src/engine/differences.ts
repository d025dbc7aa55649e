import { canonicalJson, describeStep, type Plan, type Step } from '@certloop/contract'
import { configurationLine } from './redact.ts'

const mostLines = 60
const mostCells = 4_000_000 // of the table behind a line comparison

export interface PlanSide { plan: Plan; texts: Readonly<Record<string, string>> | undefined }

/** What a person has to know to see why an approved plan no longer holds: steps first, then the texts it was made from. */
export function planDifferences(approved: PlanSide, present: PlanSide): string[] {
  const lines = [
    ...(approved.plan.serverType === present.plan.serverType ? [] : [`Server type: ${approved.plan.serverType} became ${present.plan.serverType}.`]),
    ...stepDifferences(approved.plan.steps, present.plan.steps),
    ...observedDifferences(approved, present),
  ]
  if (lines.length === 0) return ['The approved plan does not fit its own digest: it was altered on its way.']
  return lines.length <= mostLines ? lines : [...lines.slice(0, mostLines), `… and ${lines.length - mostLines} more lines.`]
}

/** Two steps are about the same thing when these are equal. */
function subject(step: Step): string {
  if ('path' in step) return `${step.kind} ${step.path}`
  if ('title' in step) return `${step.kind} ${step.title}`
  if ('when' in step) return `${step.kind} ${step.when}`
  return `${step.kind} ${'purpose' in step ? step.purpose : 'service' in step ? step.service : ''}`
}

function stepDifferences(before: readonly Step[], after: readonly Step[]): string[] {
  const rest = [...after]
  const lines: string[] = []
  for (const step of before) {
    const at = rest.findIndex((other) => subject(other) === subject(step))
    const [match] = at < 0 ? [] : rest.splice(at, 1)
    if (match === undefined) lines.push(`Step gone: ${describeStep(step)}`)
    else lines.push(...changeOf(step, match))
  }
  lines.push(...rest.map((step) => `Step added: ${describeStep(step)}`))
  const order = (steps: readonly Step[]) => canonicalJson(steps.map(subject))
  return lines.length === 0 && order(before) !== order(after) ? ['The steps come in another order.'] : lines
}

const meanings: Record<string, string> = {
  replaces: 'the file that is there now is another one',
  contentDigest: 'the content to write is another one',
  ownership: 'owner or mode of the new file',
  endpoints: 'what is served there now, or where',
  argv: 'the command',
  source: 'the script',
  environment: 'variables of the command',
  commands: 'what is said',
  body: 'what is sent',
  expect: 'what is expected',
  timeoutSeconds: 'the time allowed',
}

function changeOf(before: Step, after: Step): string[] {
  if (canonicalJson(before) === canonicalJson(after)) return []
  if (describeStep(before) !== describeStep(after)) return [`Step changed: ${describeStep(before)} → ${describeStep(after)}`]
  const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => canonicalJson(a.get(name) ?? null) !== canonicalJson(b.get(name) ?? null))
  return [`Step changed: ${describeStep(after)}: ${names.map((name) => meanings[name] ?? name).join('; ')}`]
}

function observedDifferences(approved: PlanSide, present: PlanSide): string[] {
  const before = new Map(approved.plan.observed.map((o) => [o.name, o.digest]))
  const after = new Map(present.plan.observed.map((o) => [o.name, o.digest]))
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    if (!after.has(name)) return [`${name}: no longer part of the configuration`]
    if (!before.has(name)) return [`${name}: newly part of the configuration`]
    if (before.get(name) === after.get(name)) return []
    const [old, now] = [approved.texts?.[name], present.texts?.[name]]
    if (old === undefined || now === undefined) return [`${name}: changed; its earlier text is no longer kept`]
    return [`${name}: changed`, ...lineDifferences(old, now).map((line) => `  ${line}`)]
  })
}

/** Lines taken away (-) and added (+), in their order, with their numbers and without secrets. */
export function lineDifferences(before: string, after: string): string[] {
  const [a, b] = [before.split('\n'), after.split('\n')]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const [left, right] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)]
  const moves = left.length * right.length > mostCells ? wholesale(left, right) : shortest(left, right)
  return moves.map(({ sign, index, text }) => `${sign}${head + index + 1}: ${configurationLine(text)}`)
}

interface Move { sign: '-' | '+'; index: number; text: string }

const wholesale = (left: string[], right: string[]): Move[] => [
  ...left.map((text, index): Move => ({ sign: '-', index, text })),
  ...right.map((text, index): Move => ({ sign: '+', index, text })),
]

/** Lengths of the longest common subsequences of all ends: at(i, j) of left from i on and right from j on. */
function commonLengths(left: string[], right: string[]): (i: number, j: number) => number {
  const width = right.length + 1
  const common = new Uint32Array((left.length + 1) * width)
  const at = (i: number, j: number) => common[i * width + j] ?? 0
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  return at
}

function shortest(left: string[], right: string[]): Move[] {
  const at = commonLengths(left, right)
  const moves: Move[] = []
  let [i, j] = [0, 0]
  for (;;) {
    const [gone, come] = [left[i], right[j]]
    if (gone === undefined && come === undefined) return moves
    if (gone === come) { i++; j++ }
    else if (gone !== undefined && (come === undefined || at(i + 1, j) >= at(i, j + 1))) moves.push({ sign: '-', index: i++, text: gone })
    else if (come !== undefined) moves.push({ sign: '+', index: j++, text: come })
  }
}
