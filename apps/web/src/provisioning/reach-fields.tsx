import { Button, Group, NumberInput, Paper, Select, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core'
import type { JumpHost, Reach, ReachKind, ServerType } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { blankJump, reachKindOf, reachOfKind, withJumpSecret, withLoginSecret, withoutJump, type DraftTarget, type LoginSecretName } from './draft-target.ts'
import { SecretField } from './secret-field.tsx'

const kinds: Record<ReachKind, string> = { local: 'On the bot\'s own machine', ssh: 'Over SSH', sftp: 'Over SFTP: files alone', ftp: 'Over FTP: files alone' }
const authentications: Record<JumpHost['authentication'], string> = { 'key': 'Private key kept here', 'password': 'Password', 'bot-key': 'Key file on the bot\'s machine' }
const securities = { 'explicit-tls': 'TLS after AUTH TLS (usual)', 'implicit-tls': 'TLS at once (port 990)', 'none': 'None: keys go over the network in the clear' } as const
const monospace = { input: { fontFamily: 'var(--mantine-font-family-monospace)' } }
export const dataOf = <K extends string>(words: Record<K, string>, only: readonly K[] = Object.keys(words) as K[]) => only.map((value) => ({ value, label: words[value] }))

interface Props { target: DraftTarget; serverType: ServerType; onChange: (target: DraftTarget) => void; problems: Record<string, string>; /** Of the target in the request. */ path: string }

/** How the bot gets at the target. */
export function ReachFields({ target, serverType, onChange, problems, path }: Props) {
  const { reach } = target
  const kind = reachKindOf(target)
  const possible = serverType.reaches.includes(kind) ? serverType.reaches : [...serverType.reaches, kind]
  return (
    <Stack gap="sm">
      <Select
        label="Way to the target" w={320} allowDeselect={false} data={dataOf(kinds, possible)} value={kind}
        onChange={(next) => next !== null && onChange({ ...target, reach: reachOfKind(next, reach) })} error={problems[`${path}.reach`] ?? problems[`${path}.reach.kind`]}
      />
      {reach !== 'local' && reach.kind === 'ftp' && <FtpFields {...{ target, reach, onChange, problems, path }} />}
      {reach !== 'local' && reach.kind !== 'ftp' && <SshFields {...{ target, reach, onChange, problems, path }} />}
    </Stack>
  )
}

interface OfReach<R> extends Omit<Props, 'serverType'> { reach: R }

function FtpFields({ target, reach, onChange, problems, path }: OfReach<Extract<Reach, { kind: 'ftp' }>>) {
  const set = (part: Partial<typeof reach>) => onChange({ ...target, reach: { ...reach, ...part } })
  const at = (name: string) => problemAt(problems, `${path}.reach.${name}`)
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      <Address login={reach} set={set} at={at} />
      <Select label="Security" allowDeselect={false} data={dataOf(securities)} value={reach.security} onChange={(next) => next !== null && set({ security: next })} error={at('security')} />
      <TextInput label="Pinned certificate" description="SHA-256 of the certificate that the FTP server shows, in hex. Empty: the roots of the bot's system decide." value={reach.pin ?? ''} onChange={(e) => set({ pin: e.currentTarget.value.trim() || null })} error={at('pin')} styles={monospace} />
      <SecretField label="Password" kept={target.kept.includes('login.password')} value={target.secrets?.login?.password} onChange={(value) => onChange(withLoginSecret(target, 'password', value))} error={problemAt(problems, `${path}.secrets.login.password`)} required />
    </SimpleGrid>
  )
}

function SshFields({ target, reach, onChange, problems, path }: OfReach<Extract<Reach, { kind: 'ssh' | 'sftp' }>>) {
  const set = (part: Partial<JumpHost>) => onChange({ ...target, reach: { ...reach, ...part } })
  return (
    <Stack gap="sm">
      <LoginFields
        login={reach} set={set} problems={problems} path={`${path}.reach`} secretsPath={`${path}.secrets.login`} keptPrefix="login" kept={target.kept}
        secrets={target.secrets?.login ?? {}} setSecret={(name, value) => onChange(withLoginSecret(target, name, value))}
      />
      {reach.kind === 'ssh' && (
        <Switch label="Through sudo" error={problems[`${path}.reach.privilege`]} description={'Every command and file there goes through "sudo -n". The account needs the lines of sudoers that the guide names.'} checked={reach.privilege === 'sudo'} onChange={(e) => onChange({ ...target, reach: { ...reach, privilege: e.currentTarget.checked ? 'sudo' : 'none' } })} />
      )}
      {reach.jumps.map((jump, i) => (
        <Paper key={i} withBorder p="sm" role="group" aria-label={`Jump host ${i + 1}`}>
          <Group justify="space-between" mb="xs"><Text size="sm" fw={500}>Jump host {i + 1}</Text><Button size="xs" variant="subtle" color="red" onClick={() => onChange(withoutJump(target, reach, i))}>Remove jump host {i + 1}</Button></Group>
          <LoginFields
            login={jump} set={(part) => onChange({ ...target, reach: { ...reach, jumps: reach.jumps.with(i, { ...jump, ...part }) } })} problems={problems} path={`${path}.reach.jumps.${i}`} secretsPath={`${path}.secrets.jumps.${i}`} keptPrefix={`jumps.${i}`} kept={target.kept}
            secrets={target.secrets?.jumps?.[i] ?? {}} setSecret={(name, value) => onChange(withJumpSecret(target, i, name, value))}
          />
        </Paper>
      ))}
      {reach.jumps.length < 5 && <Button w="fit-content" size="xs" variant="default" onClick={() => onChange({ ...target, reach: { ...reach, jumps: [...reach.jumps, blankJump] } })}>Add a jump host</Button>}
    </Stack>
  )
}

interface LoginProps {
  login: JumpHost
  set: (part: Partial<JumpHost>) => void
  problems: Record<string, string>
  path: string
  secretsPath: string
  kept: readonly string[]
  keptPrefix: string
  secrets: Partial<Record<LoginSecretName, string | null>>
  setSecret: (name: LoginSecretName, value: string | null | undefined) => void
}

/** Host, user and what lets in; the same for the last host and those on the way. */
function LoginFields({ login, set, problems, path, secretsPath, kept, keptPrefix, secrets, setSecret }: LoginProps) {
  const at = (name: string) => problemAt(problems, `${path}.${name}`)
  const secret = (name: LoginSecretName) => ({ kept: kept.includes(`${keptPrefix}.${name}`), value: secrets[name], onChange: (value: string | null | undefined) => setSecret(name, value), error: problems[`${secretsPath}.${name}`] })
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      <Address login={login} set={set} at={at} />
      <Select label="Log in with" allowDeselect={false} data={dataOf(authentications)} value={login.authentication} onChange={(next) => next !== null && set({ authentication: next })} error={at('authentication')} />
      {login.authentication === 'password' && <SecretField label="Password" {...secret('password')} required />}
      {login.authentication === 'key' && <SecretField label="Private key" description="As ssh-keygen writes it: OpenSSH or PEM." lines {...secret('privateKey')} required />}
      {login.authentication === 'bot-key' && <TextInput label="Key file" description="Absolute path on the bot's machine." value={login.keyPath ?? ''} onChange={(e) => set({ keyPath: e.currentTarget.value })} error={at('keyPath')} required styles={monospace} />}
      {login.authentication !== 'password' && <SecretField label="Passphrase" description="Of the key, where it has one." {...secret('passphrase')} />}
      <TextInput
        label="Host key" description="Fingerprint of the host's own key. Empty: the first look tells which one is there, and you confirm it." placeholder="SHA256:…" value={login.hostKey ?? ''} error={at('hostKey')} styles={monospace}
        onChange={(e) => set({ hostKey: e.currentTarget.value.trim() || null })} spellCheck={false}
      />
    </SimpleGrid>
  )
}

interface AddressProps { login: Pick<JumpHost, 'host' | 'port' | 'user'>; set: (part: Partial<Pick<JumpHost, 'host' | 'port' | 'user'>>) => void; at: (name: string) => string | undefined }

function Address({ login: { host, port, user }, set, at }: AddressProps) {
  return (
    <>
      <Group gap="sm" align="flex-start" wrap="nowrap">
        <TextInput flex={1} label="Host" value={host} onChange={(e) => set({ host: e.currentTarget.value })} error={at('host')} required spellCheck={false} />
        <NumberInput w={100} label="Port" value={port} onChange={(value) => set({ port: Number(value) })} error={at('port')} min={1} max={65535} allowDecimal={false} required />
      </Group>
      <TextInput label="User" value={user} onChange={(e) => set({ user: e.currentTarget.value })} error={at('user')} required spellCheck={false} autoComplete="off" />
    </>
  )
}
