import type { AuditTables } from '../audit/audit-store.ts'
import type { IdempotencyTables } from '../http/idempotency-store.ts'
import type { ApiTokenTables } from '../user/api-token-store.ts'
import type { UserTables } from '../user/user-store.ts'

/**
 * All tables. Each domain declares its own in its store and is named here once.
 * Both databases: ids, times (UTC ISO 8601 text) and JSON are text, booleans are integers 0 and 1.
 */
export interface Schema extends UserTables, ApiTokenTables, AuditTables, IdempotencyTables {}
