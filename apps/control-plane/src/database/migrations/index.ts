import type { Migration } from 'kysely/migration'
import * as core from './0001-core.ts'
import * as secretsAndLocalCa from './0002-secrets-and-local-ca.ts'
import * as access from './0003-access.ts'
import * as lists from './0004-lists.ts'
import * as idleLooks from './0005-idle-looks.ts'
import * as scannedPlaces from './0006-scanned-places.ts'
import * as oldKeys from './0007-old-keys.ts'
import * as builtInCa from './0008-built-in-ca.ts'
import * as findings from './0009-findings.ts'
import * as waysToTargets from './0010-ways-to-targets.ts'
import * as lifecycle from './0011-lifecycle.ts'
import * as authorities from './0012-authorities.ts'

/** In order. Written once for both databases; a released one is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-core': core,
  '0002-secrets-and-local-ca': secretsAndLocalCa,
  '0003-access': access,
  '0004-lists': lists,
  '0005-idle-looks': idleLooks,
  '0006-scanned-places': scannedPlaces,
  '0007-old-keys': oldKeys,
  '0008-built-in-ca': builtInCa,
  '0009-findings': findings,
  '0010-ways-to-targets': waysToTargets,
  '0011-lifecycle': lifecycle,
  '0012-authorities': authorities,
}
