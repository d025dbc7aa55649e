/** A table; cells are escaped so that a "|" or a line end in them does not break it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export const code = (text: string): string => `\`${text}\``

/** First lines of every generated page. */
export const generatedFrom = (source: string): string => `<!-- Generated from ${source} by "npm run check -- --write". Changes made here are lost. -->`
