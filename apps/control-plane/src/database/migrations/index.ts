import type { Migration } from 'kysely'

/** In order. Written once for both databases; a released one is never changed. */
export const migrations: Record<string, Migration> = {}
