import { createHash } from 'node:crypto'

/** A place between 0 and 1 that always belongs to this id, as good as random over many of them. */
export const placeOf = (key: string): number => createHash('sha256').update(key).digest().readUIntBE(0, 6) / 2 ** 48

/** How far into a span, in whole seconds of milliseconds, the turn of this id is: what is shown is what is done. */
export const turnOf = (key: string, spanMs: number): number => Math.floor((placeOf(key) * Math.max(0, spanMs)) / 1000) * 1000
