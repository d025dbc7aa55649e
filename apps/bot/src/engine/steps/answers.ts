/** The first words of an answer, on one line. */
export function bodyForLog(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line === '' ? 'nothing' : line.length <= 300 ? line : `${line.slice(0, 300)}…`
}

/** Whether a text has what a regular expression of a plan asks for. */
export const lookFor = (expression: string, text: string): boolean => new RegExp(expression).test(text)
