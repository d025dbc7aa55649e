import type { JumpHost, Reach, ReachKind, SshReach, Target, TargetInput } from '@certloop/api-client'

/** A target as it stands in the form. `kept` names the secrets that the control plane has already. */
export interface DraftTarget extends TargetInput { reach: Reach; kept: readonly string[] }

type SecretValue = string | null | undefined

export const blankTarget = (place: Pick<TargetInput, 'botId' | 'serverType' | 'fields'>): DraftTarget => ({ ...place, reach: 'local', kept: [] })

export function draftTargetOf({ id, botId, serverType, reach, fields, placement, overwrite, scripts, secretsSet }: Target): DraftTarget {
  return { id, botId, serverType, reach, fields, placement, ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }), kept: secretsSet }
}

/** What is sent: secrets that nobody touched are left out, so they stay. */
export function targetInputOf({ id, botId, serverType, reach, fields: values, placement, overwrite, scripts, secrets }: DraftTarget): TargetInput {
  const { fields = {}, login = {}, jumps = [] } = secrets ?? {}
  const given = {
    ...(Object.keys(fields).length > 0 ? { fields } : {}), ...(Object.keys(login).length > 0 ? { login } : {}), ...(jumps.some((jump) => Object.keys(jump).length > 0) ? { jumps } : {}),
  }
  return { ...(id === undefined ? {} : { id }), botId, serverType, reach, fields: values, ...(placement === undefined ? {} : { placement }), ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }), ...(Object.keys(given).length > 0 ? { secrets: given } : {}) }
}

type Login = NonNullable<NonNullable<TargetInput['secrets']>['login']>
export type LoginSecretName = keyof Login
/** undefined: as it is kept; null: to be deleted. */
const withValue = <T extends Record<string, SecretValue>>(values: T, name: string, value: SecretValue): T => {
  const { [name]: _, ...others } = values
  return (value === undefined ? others : { ...others, [name]: value }) as T
}

export const withSecretField = (target: DraftTarget, name: string, value: SecretValue): DraftTarget =>
  ({ ...target, secrets: { ...target.secrets, fields: withValue<Record<string, string | null>>(target.secrets?.fields ?? {}, name, value) } })
export const withLoginSecret = (target: DraftTarget, name: LoginSecretName, value: SecretValue): DraftTarget =>
  ({ ...target, secrets: { ...target.secrets, login: withValue(target.secrets?.login ?? {}, name, value) } })
export function withJumpSecret(target: DraftTarget, index: number, name: LoginSecretName, value: SecretValue): DraftTarget {
  const jumps = Array.from({ length: Math.max(index + 1, target.secrets?.jumps?.length ?? 0) }, (_, i) => target.secrets?.jumps?.[i] ?? {})
  return { ...target, secrets: { ...target.secrets, jumps: jumps.with(index, withValue(jumps[index] ?? {}, name, value)) } }
}

/** Without this jump host and its secrets; what is kept for others counts from the place they had. */
export function withoutJump(target: DraftTarget, reach: Extract<Reach, { jumps: unknown }>, index: number): DraftTarget {
  const { jumps, ...secrets } = target.secrets ?? {}
  return {
    ...target, reach: { ...reach, jumps: reach.jumps.toSpliced(index, 1) }, secrets: { ...secrets, ...(jumps ? { jumps: jumps.toSpliced(index, 1) } : {}) },
    // The way is another one then, so the control plane keeps nothing that was given for it.
    kept: target.kept.filter((name) => !name.startsWith('jumps.') || Number(name.split('.')[1]) < index),
  }
}

export const reachKindOf = ({ reach }: Pick<DraftTarget, 'reach'>): ReachKind => (reach === 'local' ? 'local' : reach.kind)

const blankSsh: SshReach = { kind: 'ssh', host: '', port: 22, user: '', authentication: 'key', hostKey: null, privilege: 'none', jumps: [] }

/** Another way in; host and user stay as far as the new way knows them. */
export function reachOfKind(kind: ReachKind, before: Reach): Reach {
  if (kind === 'local') return 'local'
  const { host, user } = before === 'local' ? { host: '', user: '' } : before
  if (kind === 'ftp') return { kind, host, port: 21, user, security: 'explicit-tls', pin: null }
  const login = before === 'local' || before.kind === 'ftp' ? { ...blankSsh, host, user } : before
  const { privilege = 'none', ...way } = { ...login } as Omit<SshReach, 'kind' | 'privilege'> & { privilege?: SshReach['privilege'] }
  return kind === 'ssh' ? { ...way, kind, privilege } : { ...way, kind }
}

export const blankJump: JumpHost = { host: '', port: 22, user: '', authentication: 'key', hostKey: null }

/** "over SSH as deploy on db1.example" */
export function reachWords(reach: Reach): string {
  if (reach === 'local') return 'on the bot\'s own machine'
  return `over ${reach.kind.toUpperCase()}${reach.user === '' ? '' : ` as ${reach.user}`}${reach.host === '' ? '' : ` on ${reach.host}`}`
}
