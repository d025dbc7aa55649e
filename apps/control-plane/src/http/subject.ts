const idOf = (value: unknown): string | undefined => {
  const id = (value as { id?: unknown } | null | undefined)?.id
  return typeof id === 'string' ? id : undefined
}

/** Id of what an operation was done to: the one in the address, or that of the thing it made. */
export function subjectOf(params: unknown, answer: unknown): string | null {
  const inner = typeof answer === 'object' && answer !== null ? Object.values(answer).map(idOf).find((id) => id !== undefined) : undefined
  return idOf(params) ?? idOf(answer) ?? inner ?? null
}
