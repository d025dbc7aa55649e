/** What a stranger wrote, quoted and cut. */
export const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)

/** The one problem of a list of lines "field: problem", or a summary of several. */
export const oneOrMany = (lines: readonly string[], summary: string): string => (lines.length === 1 ? lines[0] ?? '' : summary)
