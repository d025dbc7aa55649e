import type { AuthorityFigures } from './authority.ts'
import { partNames, type PartName, type Split } from './parts.ts'
import type { ColdStart, Idle } from './processes.ts'
import { median, p90 } from './statistics.ts'

/** What a rotation may take that is not CA, reload or handshake, in ms (median). */
export const limitMs = 250

export interface Figures {
  /** Load average of the last minute when it began. */
  load: number
  asked: number
  splits: readonly Split[]
  ownMs: number
  idleSeconds: number
  idle: Idle
  authority: AuthorityFigures
  nginx: { version: number; dump: number; test: number }
  coldStart: ColdStart
}

const ms = (value: number) => value.toFixed(1).padStart(9)
const row = (title: string, values: readonly number[], mark = ' ') => `${mark} ${title.padEnd(62)}${ms(median(values))}${ms(p90(values))}`

function rotationLines({ splits, ownMs }: Figures): string[] {
  const watched = median(splits.map(({ parts }) => parts.watch))
  const of = (name: PartName) => splits.map(({ parts }) => parts[name])
  return [
    `${' '.repeat(64)}   median      p90`,
    row('from POST rotate to the commit of "deployed"', splits.map(({ total }) => total)),
    ...(Object.keys(partNames) as PartName[]).map((name) => row(partNames[name].title, of(name), partNames[name].our ? '*' : ' ')),
    row('our own: the lines with *', splits.map(({ own }) => own), '*'),
    '',
    `${ownMs <= limitMs ? 'PASS' : 'FAIL'}: our own share is ${ownMs.toFixed(0)} ms (median); the limit is ${limitMs} ms.`,
    ...(watched > 0 ? [`With the time for which the proof watches on (note 2) it is ${(median(splits.map(({ own, parts }) => own + parts.watch))).toFixed(0)} ms.`] : []),
  ]
}

function noteLines({ splits, nginx, load }: Figures): string[] {
  return [
    'Parts add up to the whole in each rotation; medians of parts need not. Times come',
    'from the timeline and the bot\'s log (whole milliseconds), from the deployment log',
    '(durations) and from the commits of the control plane.',
    '1. What the CA takes for one certificate is measured by itself in this run; what is',
    '   over between request and answer counts as queue and wake.',
    '2. How long the driver wants nothing but the new certificate to be seen, since old and new',
    '   workers of nginx answer side by side for a moment. A wait by choice, made of handshakes.',
    '3. Planning makes handshakes too; these count as ours, since they can not be told apart.',
    `4. nginx's own commands, run alone: -V ${nginx.version.toFixed(1)} ms, -T ${nginx.dump.toFixed(1)} ms, -t ${nginx.test.toFixed(1)} ms. A rotation runs`,
    '   -V and -T twice and -t once; all of it counts as ours.',
    `5. Inside SQLite, disk and all: ${median(splits.map(({ sqlMs }) => sqlMs)).toFixed(1)} ms of a rotation, in ${median(splits.map(({ commitCount }) => commitCount))} transactions.`,
    `6. Load average of the machine at the start: ${load.toFixed(2)}.`,
  ]
}

/** The whole report as text. */
export function describe(figures: Figures): string {
  const { splits, asked, idle, idleSeconds, coldStart, authority } = figures
  const cpu = (value: number) => (Number.isNaN(value) ? '' : `, ${value.toFixed(0)} ms of processor time meanwhile`)
  return [
    `Rotation on loopback nginx, ${splits.length} times${splits.length < asked ? ` (of ${asked} asked; the time was over)` : ''}, in ms`,
    '',
    ...rotationLines(figures),
    '',
    ...noteLines(figures),
    '',
    `Resident memory after ${idleSeconds} idle seconds`,
    `  control plane ${idle.planeMb.toFixed(0).padStart(5)} MB${cpu(idle.planeCpuMs)}`,
    `  bot           ${idle.botMb.toFixed(0).padStart(5)} MB${cpu(idle.botCpuMs)}`,
    'Cold start, from the start of the process',
    `  control plane ${coldStart.planeMs.toFixed(0).padStart(5)} ms until it takes calls; ${coldStart.planeFirstMs.toFixed(0)} ms the first time (database, CA, administrator)`,
    `  bot           ${coldStart.botMs.toFixed(0).padStart(5)} ms until the control plane has answered its hello`,
    'Built-in CA, 8 at a time (ec-256)',
    `  ${authority.issueRate.toFixed(0)} certificates per second; ${authority.signRate.toFixed(0)} bare signatures per second: ratio ${(authority.issueRate / authority.signRate).toFixed(3)}`,
    `  one at a time: ${authority.issueMs.toFixed(1)} ms for a certificate, ${authority.signMs.toFixed(2)} ms for a signature`,
    '',
  ].join('\n')
}
