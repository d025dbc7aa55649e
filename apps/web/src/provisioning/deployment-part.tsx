import { Box, Button, Fieldset, Group, Paper, Select, Stack, Text } from '@mantine/core'
import type { Bot, CertificateDetail, ServerType } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { blankTarget, reachKindOf, reachOfKind, reachWords, type DraftTarget } from './draft-target.ts'
import { LookAtHost } from './look-at-host.tsx'
import { OptionFields } from './option-fields.tsx'
import { ReachFields } from './reach-fields.tsx'
import { RolloutFields } from './rollout-fields.tsx'
import { targetOf, unusedSuggestions, type Change, type Draft } from './draft.ts'
import { TargetFields } from './target-fields.tsx'

interface Props {
  draft: Draft
  change: Change
  certificate: CertificateDetail
  bots: readonly Pick<Bot, 'id' | 'name'>[]
  serverTypes: readonly ServerType[]
  problems: Record<string, string>
}

/** Where the certificate goes: places that a scan found, or others by hand. */
export function DeploymentPart({ draft, change, certificate, bots, serverTypes, problems }: Props) {
  const { targets } = draft
  const [firstBot] = bots
  const [firstType] = serverTypes
  const setTarget = (index: number, target: DraftTarget) => change({ targets: targets.with(index, target) })
  return (
    <Stack>
      {targets.length === 0 && <Text size="sm" c="dimmed">No target yet. The bot of a target makes the key, so a version can be ordered once there is one.</Text>}
      {targets.map((target, index) => (
        <TargetCard
          key={index} number={index + 1} target={target} bots={bots} serverTypes={serverTypes} problems={problems} path={`targets.${index}`}
          onChange={(next) => setTarget(index, next)} onRemove={() => change({ targets: targets.toSpliced(index, 1) })}
        />
      ))}
      {unusedSuggestions(certificate.suggestions, targets).map((suggestion) => (
        <Group key={suggestion.title + suggestion.botId} justify="space-between" wrap="nowrap">
          <div><Text size="sm">{suggestion.title} on {suggestion.botName}</Text><Text size="xs" c="dimmed">{suggestion.why}</Text></div>
          <Button size="xs" variant="light" onClick={() => change({ targets: [...targets, targetOf(suggestion)] })}>Use this place</Button>
        </Group>
      ))}
      {firstBot && firstType
        ? <Button w="fit-content" size="xs" variant="default" onClick={() => change({ targets: [...targets, blankTarget({ botId: firstBot.id, serverType: firstType.id, fields: {} })] })}>Add a target by hand</Button>
        : <Text size="sm" c="dimmed">A target needs a bot on its host. Add one on the Bots page first.</Text>}
      {hasRollout(draft) && <Fieldset legend="Order of the targets"><RolloutFields rollout={draft.rollout} onChange={(rollout) => change({ rollout })} problems={problems} /></Fieldset>}
    </Stack>
  )
}

/** With one target there is nothing to put in order, unless something was said about it already. */
const hasRollout = ({ targets, rollout: { mode, canary, gate } }: Draft): boolean => targets.length > 1 || mode !== 'together' || canary > 0 || gate.httpCheck !== null || gate.approval || gate.soakSeconds > 0

/** Another kind of server has other fields, and perhaps other ways to it. */
function ofType({ secrets, ...target }: DraftTarget, id: string, serverTypes: readonly ServerType[]): DraftTarget {
  const { fields: _, ...others } = secrets ?? {}
  const kind = reachKindOf(target)
  const reaches = serverTypes.find((type) => type.id === id)?.reaches ?? []
  return { ...target, serverType: id, fields: {}, kept: [], secrets: others, reach: reaches.includes(kind) ? target.reach : reachOfKind(reaches[0] ?? 'local', target.reach) }
}

interface CardProps extends Pick<Props, 'bots' | 'serverTypes' | 'problems'> {
  number: number
  target: DraftTarget
  path: string
  onChange: (target: DraftTarget) => void
  onRemove: () => void
}

function TargetCard({ number, target, bots, serverTypes, problems, path, onChange, onRemove }: CardProps) {
  const serverType = serverTypes.find(({ id }) => id === target.serverType)
  return (
    <Paper withBorder p="sm" role="group" aria-label={`Target ${number}`}>
      <Stack gap="sm">
        <Group align="flex-end" gap="sm">
          <Select label="Server type" w={200} allowDeselect={false} data={serverTypes.map(({ id, title }) => ({ value: id, label: title }))} value={target.serverType} onChange={(value) => value !== null && onChange(ofType(target, value, serverTypes))} error={problems[`${path}.serverType`]} />
          <Select label="Bot" w={240} allowDeselect={false} searchable data={bots.map(({ id, name }) => ({ value: id, label: name }))} value={target.botId} onChange={(value) => value !== null && onChange({ ...target, botId: value })} error={problems[`${path}.botId`]} />
          <Button ml="auto" variant="subtle" color="red" size="xs" onClick={onRemove}>Remove target {number}</Button>
        </Group>
        {serverType
          ? <TargetParts {...{ target, serverType, problems, path, onChange }} />
          : <Text size="sm" c="red">The server type "{target.serverType}" is not known here.</Text>}
        {problems[path] ?? problems[`${path}.fields`] ? <Text size="sm" c="red">{problemAt(problems, path)}</Text> : null}
      </Stack>
    </Paper>
  )
}

interface PartsProps extends Pick<CardProps, 'target' | 'problems' | 'path' | 'onChange'> { serverType: ServerType }

function TargetParts({ target, serverType, problems, path, onChange }: PartsProps) {
  const { reach } = target
  const hasOptions = target.overwrite === false || target.scripts !== undefined || (target.placement?.labels.length ?? 0) > 0 || (target.placement?.pair ?? null) !== null || Object.keys(problems).some((at) => [`${path}.scripts`, `${path}.placement`, `${path}.overwrite`].some((part) => at.startsWith(part)))
  return (
    <>
      <ReachFields {...{ target, serverType, problems, path, onChange }} />
      {reach !== 'local' && reach.kind === 'ssh' && <LookAtHost target={target} reach={reach} onChange={onChange} />}
      <TargetFields serverType={serverType} target={target} onChange={onChange} problems={problems} path={path} />
      <details {...(hasOptions ? { open: true } : {})}>
        <summary><Text component="span" size="sm">Rollout, overwriting and scripts</Text></summary>
        <Box pt="sm"><OptionFields {...{ target, problems, path, onChange }} /></Box>
      </details>
      <Text size="xs" c="dimmed">{serverType.title}, {reachWords(reach)}.</Text>
    </>
  )
}
