import type { AttemptId, AuthorityId, BotId, CertificateId, CleanupState, DnsProviderId, OrderId, ValidationId, ValidationMethod, ValidationState } from '@certloop/contract'
import type { Selectable } from 'kysely'

/** One name to be proven for one attempt of an order. */
export interface ValidationTable {
  id: ValidationId
  orderId: OrderId
  attemptId: AttemptId
  certificateId: CertificateId
  authorityId: AuthorityId
  /** Id of the proof at the authority (WantedProof) and of the way taken (ProofWay). */
  proofId: string
  wayId: string | null
  name: string
  /** "dns" or "ip" */
  nameType: 'dns' | 'ip'
  wildcard: number
  method: ValidationMethod
  state: ValidationState
  /** JSON of the ProofWay taken. */
  way: string | null
  botId: BotId | null
  dnsProviderId: DnsProviderId | null
  /** Where the record is written: after CNAME delegation, and the zone that holds it. Written before the provider is asked. */
  recordName: string | null
  zone: string | null
  /** JSON of what the provider or the bot said of what it placed. */
  receipt: string | null
  /** JSON of an OutsideLook. */
  lastLook: string | null
  cleanup: CleanupState
  reason: string
  nextAction: string | null
  deadline: string | null
  error: string | null
  /** When the instructions went out by e-mail. */
  notifiedAt: string | null
  createdAt: string
  updatedAt: string
}
export interface ValidationTables { validation: ValidationTable }
export type ValidationRow = Selectable<ValidationTable>
