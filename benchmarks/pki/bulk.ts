import { readCertificatesFrom, toPem } from '@certloop/pki'
import { publicStyleLeaves } from './leaves.ts'
import { atMost, sideBySide, within, type Line } from './side-by-side.ts'

const many = 50_000
const few = 1_000

/** Reads all, and looks at the heap now and then. @returns the most it grew, in MB */
function readAll(text: string): number {
  const begin = process.memoryUsage().heapUsed
  let most = 0
  for (const { number, error } of readCertificatesFrom(text)) {
    if (error) throw error
    if (number % 1000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - begin)
  }
  return most / 1e6
}

/** A PEM text of 50,000 certificates, read one by one: time a certificate beside that in a text of 1,000, and memory beside the text itself. */
export async function measureBulk(): Promise<Line[]> {
  const leaves = (await publicStyleLeaves(50)).map((der) => toPem('CERTIFICATE', der)).join('')
  const text = (count: number) => Buffer.from(leaves.repeat(count / 50)).toString('latin1') // one flat string, as a file gives
  const [long, short] = [text(many), text(few)]
  let most = 0
  const micros = await sideBySide({ long: () => { most = Math.max(most, readAll(long)) }, short: () => { for (let i = 0; i < 5; i++) readAll(short) } }, { rounds: 3, times: 1 })
  return [
    atMost(2, { name: `one certificate in a text of ${many}`, unit: 'µs', measured: micros.long / many, peer: { name: `in a text of ${few}`, value: micros.short / few / 5 } }),
    within(150, { name: `memory while ${many} are read from ${(long.length / 1e6).toFixed(0)} MB of text`, unit: 'MB', measured: most }),
  ]
}
