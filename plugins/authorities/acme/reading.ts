/** Readers of what an answer holds: others wrote it. */
export const isText = (value: unknown): value is string => typeof value === 'string'
export const isUrl = (value: unknown): value is string => isText(value) && /^https?:\/\//.test(value) && URL.canParse(value)
export const dateOf = (value: unknown): Date | null => (isText(value) && !Number.isNaN(Date.parse(value)) ? new Date(value) : null)
export const partsOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {})
