/** Fields as they are sent: names and zones a line each, without spaces around them, which nobody sees in a form. */
export const sentFields = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Array.isArray(value) ? value.map((line: unknown) => (typeof line === 'string' ? line.trim() : line)).filter((line) => line !== '') : value]))
