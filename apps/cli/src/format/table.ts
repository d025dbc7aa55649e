// oxlint-disable-next-line no-control-regex -- our own colour codes take no room
const colourCodes = /\u001b\[\d+m/g
/** Columns a text takes: good enough for names and Latin text; wide characters count twice. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text.replace(colourCodes, '')) width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(character) ? 2 : 1
  return width
}
const pad = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - widthOf(text)))

export type Cell = string | number | null | undefined
const textOf = (cell: Cell): string => (cell === null || cell === undefined || cell === '' ? '-' : String(cell).replace(/\s*\n\s*/g, ' '))

/** Rows below a heading, in columns. @returns one line each, without a line feed */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const lines = [heading, ...rows.map((row) => row.map(textOf))]
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))))
  return lines.map((line) => line.map((cell, column) => pad(cell, widths[column] ?? 0)).join('  ').trimEnd())
}

/** Words in lines of at most this width; a word that is longer stays whole. A colour goes on in each line. */
function wrapped(text: string, width: number): string[] {
  // oxlint-disable-next-line no-control-regex -- our own colour codes
  const [, begin = '', plain = text, end = ''] = /^(\u001b\[\d+m)(.*)(\u001b\[\d+m)$/s.exec(text) ?? []
  const lines: string[] = []
  for (const word of plain.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map((line) => `${begin}${line}${end}`)
}

const defaultColumns = 100
const leastWidth = 24

/** A table whose one column of long texts is wrapped so that the whole fits, as far as the other columns leave room. */
export function fittedTable(heading: readonly string[], rows: readonly (readonly Cell[])[], wide: number, columns = defaultColumns): string[] {
  const texts = rows.map((row) => row.map(textOf))
  const others = heading.reduce((sum, title, i) => (i === wide ? sum : sum + 2 + Math.max(widthOf(title), ...texts.map((row) => widthOf(row[i] ?? '')))), 0)
  const width = Math.max(leastWidth, columns - others)
  return table(heading, texts.flatMap((row) => wrapped(row[wide] ?? '', width).map((line, i) => row.map((cell, column) => (column === wide ? line : i === 0 ? cell : ' ')))))
}

/** "Name:  value" lines; entries without a value are left out. */
export function facts(entries: readonly (readonly [name: string, value: Cell])[], indent = ''): string[] {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 2
  return shown.map(([name, value]) => `${indent}${`${name}:`.padEnd(width)}${textOf(value)}`)
}

/** Lines below a title, after an empty line; nothing when there are none. */
export const headed = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)])

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
