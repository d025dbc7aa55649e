import type { AuthorityTables } from '../authority/authority-store.ts'
import type { BatchTables } from '../batch/batch-store.ts'
import type { BotTables } from '../bot/bot-store.ts'
import type { BulkTables } from '../bulk/bulk-store.ts'
import type { CertificateTables } from '../certificate/certificate-store.ts'
import type { CsrTemplateTables } from '../csr-template/csr-template-store.ts'
import type { DeploymentTables } from '../deployment/deployment-store.ts'
import type { RemoteScanTables } from '../discovery/remote-scan-store.ts'
import type { EventTables } from '../event/event-store.ts'
import type { FreezeTables } from '../freeze/freeze-store.ts'
import type { OrderTables } from '../order/order-store.ts'
import type { ProofTables } from '../proof/proof-store.ts'
import type { ActionTables } from '../provisioning/action-store.ts'
import type { ConfigurationTables } from '../provisioning/configuration-store.ts'
import type { CrlTables } from '../local-ca/crl-store.ts'
import type { IssuedTables } from '../local-ca/issued-store.ts'
import type { IssuerTables } from '../local-ca/issuer-store.ts'
import type { LedgerTables } from '../local-ca/ledger.ts'
import type { ProfileTables } from '../local-ca/profile-store.ts'
import type { RenewalWindowTables } from '../renewal/renewal-window-store.ts'
import type { ResponderTables } from '../local-ca/responder.ts'
import type { RolloutTables } from '../rollout/rollout-store.ts'
import type { SecretTables } from '../secret/data-key-store.ts'
import type { TaskTables } from '../task/task-store.ts'
import type { AuditTables } from '../audit/audit-store.ts'
import type { IdempotencyTables } from '../http/idempotency-store.ts'
import type { ApiTokenTables } from '../user/api-token-store.ts'
import type { UserTables } from '../user/user-store.ts'

/**
 * All tables. Each domain declares its own in its store and is named here once.
 * Both databases: ids, times (UTC ISO 8601 text) and JSON are text, booleans are integers 0 and 1.
 */
export interface Schema extends AuthorityTables, BotTables, CertificateTables, DeploymentTables, EventTables, OrderTables, ProofTables, ActionTables, ConfigurationTables, RemoteScanTables, CsrTemplateTables, FreezeTables, RenewalWindowTables, RolloutTables, BulkTables, BatchTables, TaskTables, SecretTables, IssuerTables, IssuedTables, ProfileTables, CrlTables, ResponderTables, LedgerTables, UserTables, ApiTokenTables, AuditTables, IdempotencyTables {}
