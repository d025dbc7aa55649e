import { styleText } from 'node:util'

const width = 80
const indent = '    '

/** Words broken into lines of at most `room` characters; a longer word gets a line of its own. */
export function wrap(text: string, room: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/** "8 ms", "1.4 s" */
export const duration = (ms: number): string => (ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

export type Colour = 'green' | 'red' | 'yellow' | 'dim' | 'bold'

/** Tells the demo in the terminal: 80 columns, colours only where they are seen. */
export interface Narrator {
  headline(text: string): void
  /** A numbered step around its work; its duration follows. */
  step<T>(title: string, work: () => Promise<T>): Promise<T>
  tell(text: string): void
  /** "    label    text", with what follows under the text. */
  entry(label: string, text: string, colour?: Colour): void
  /** One line of a list, with what it took at its end. */
  item(mark: string, text: string, ms?: number | null): void
  failure(text: string): void
}

/** @param shorten applied to every text: paths of the demo's own folder get short */
export function createNarrator(shorten: (text: string) => string = (text) => text): Narrator {
  let count = 0
  const paint = (colour: Colour | undefined, text: string) => (colour === undefined ? text : styleText(colour, text))
  const print = (line = '') => { process.stdout.write(`${line}\n`) }
  const hanging = (head: string, text: string, colour?: Colour) => {
    wrap(shorten(text), width - head.length).forEach((line, i) => print((i === 0 ? head : ' '.repeat(head.length)) + paint(colour, line)))
  }
  return {
    headline(text) {
      print()
      for (const line of wrap(shorten(text), width)) print(paint('bold', line))
    },
    async step(title, work) {
      count++
      print()
      print(paint('bold', `${String(count).padStart(2)}  ${title}`))
      const start = performance.now()
      const value = await work()
      print(paint('dim', `${indent}(${duration(performance.now() - start)})`))
      return value
    },
    tell: (text) => { hanging(indent, text) },
    entry: (label, text, colour) => { hanging(`${indent}${label.padEnd(13)} `, text, colour) },
    item(mark, text, ms) {
      const colour = ({ '✔': 'green', '✖': 'red' } as const)[mark]
      const took = ms === undefined || ms === null ? '' : duration(ms)
      const lines = wrap(shorten(text), width - indent.length - 2 - 9)
      lines.forEach((line, i) => {
        const end = i === lines.length - 1 && took !== '' ? `${line.padEnd(width - indent.length - 2 - 9)}${took.padStart(9)}` : line
        print(`${indent}${i === 0 ? paint(colour, mark) : ' '} ${end}`)
      })
    },
    failure(text) {
      print()
      for (const line of wrap(shorten(text), width)) print(paint('red', line))
    },
  }
}
