import type { Migration } from 'kysely/migration'
import * as access from './0003-access.ts'

/** In order. Written once for both databases; a released one is never changed. */
export const migrations: Record<string, Migration> = {
  '0003-access': access,
}
