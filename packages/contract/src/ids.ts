/** What each prefix names. The prefix is part of every id, so two kinds can't be swapped unnoticed. */
export const idKinds = {
  crt: 'certificate', ver: 'version', ins: 'installation', tgt: 'target', ord: 'order', dep: 'deployment',
  act: 'action', tsk: 'task', bot: 'bot', jtk: 'join token', scn: 'host scan', prf: 'proof', evt: 'event',
  ath: 'authority', iss: 'issuer', icc: 'issuer certificate', cac: 'issued certificate', pfl: 'issuance profile', key: 'key', usr: 'user', ses: 'session', tok: 'API token', sec: 'secret',
  att: 'attempt of an order', val: 'validation', dnp: 'DNS provider', tpl: 'CSR template', frz: 'freeze period', rol: 'rollout', bat: 'batch', blk: 'bulk change', aud: 'audit entry', req: 'request',
} as const

export type IdKind = keyof typeof idKinds
export type Id<K extends IdKind> = `${K}_${string}`

export type CertificateId = Id<'crt'>
export type VersionId = Id<'ver'>
export type InstallationId = Id<'ins'>
export type TargetId = Id<'tgt'>
export type OrderId = Id<'ord'>
export type DeploymentId = Id<'dep'>
export type ActionId = Id<'act'>
export type TaskId = Id<'tsk'>
export type BotId = Id<'bot'>
export type AuthorityId = Id<'ath'>
export type AttemptId = Id<'att'>
export type ValidationId = Id<'val'>
export type DnsProviderId = Id<'dnp'>
export type IssuerId = Id<'iss'>
export type IssuerCertificateId = Id<'icc'>
export type IssuedCertificateId = Id<'cac'>
export type ProfileId = Id<'pfl'>
export type KeyId = Id<'key'>
export type UserId = Id<'usr'>
export type CsrTemplateId = Id<'tpl'>
export type FreezeId = Id<'frz'>
export type RolloutId = Id<'rol'>
export type BatchId = Id<'bat'>
export type BulkChangeId = Id<'blk'>

/** True for a well-formed id of this kind. */
export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  return new RegExp(`^${kind}_[0-9a-hjkmnp-tv-z]{26}$`).test(text)
}
