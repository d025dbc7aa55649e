import { Group, NumberInput, Select, Stack, Switch, TagsInput, Textarea, TextInput } from '@mantine/core'
import type { TargetScript } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import type { DraftTarget } from './draft-target.ts'
import { argumentLines } from './argument-lines.ts'
import { noteBelow } from './recurrence-fields.tsx'
import { dataOf } from './reach-fields.tsx'

interface Props { target: DraftTarget; onChange: (target: DraftTarget) => void; problems: Record<string, string>; path: string }
type When = 'before' | 'after'

const monospace = { input: { fontFamily: 'var(--mantine-font-family-monospace)' } }
const origins = { none: 'None', device: 'A program on the device', platform: 'A script kept here' } as const
const labels: Record<When, string> = { before: 'Before the first change', after: 'After the proof' }
const blank: Record<'device' | 'platform', TargetScript['source']> = { device: { from: 'device', argv: [''] }, platform: { from: 'platform', interpreter: '/bin/sh', text: '' } }

/** What holds for targets of every server type: their place in a rollout, overwriting, and scripts. */
export function OptionFields({ target, onChange, problems, path }: Props) {
  const setScript = (when: When, script: TargetScript | undefined) => {
    const { [when]: _, ...others } = target.scripts ?? {}
    const { scripts: __, ...rest } = target
    const scripts = script ? { ...others, [when]: script } : others
    onChange(Object.keys(scripts).length > 0 ? { ...rest, scripts } : rest)
  }
  const placement = target.placement ?? { labels: [], pair: null }
  const setPlacement = (part: Partial<typeof placement>) => onChange({ ...target, placement: { ...placement, ...part } })
  return (
    <Stack gap="sm">
      <Group align="flex-start" gap="md">
        <TagsInput label="Labels" description="Rollouts can take all with a label as a wave." w={320} maw="100%" inputWrapperOrder={noteBelow} maxTags={20} maxLength={60} value={placement.labels} onChange={(labels) => setPlacement({ labels })} error={problemAt(problems, `${path}.placement.labels`)} />
        <TextInput label="Pair" description="Of targets with the same word here, only one is worked on at a time." w={320} maw="100%" inputWrapperOrder={noteBelow} maxLength={60} value={placement.pair ?? ''} onChange={(e) => setPlacement({ pair: e.currentTarget.value === '' ? null : e.currentTarget.value })} error={problemAt(problems, `${path}.placement.pair`)} />
      </Group>
      <Switch label="Overwrite" error={problems[`${path}.overwrite`]} description="Off: stops before anything is touched where something is in the way that was not put there by this platform." checked={target.overwrite ?? true} onChange={(e) => onChange({ ...target, overwrite: e.currentTarget.checked })} />
      {(['before', 'after'] as const).map((when) => (
        <ScriptFields key={when} when={when} script={target.scripts?.[when]} onChange={(script) => setScript(when, script)} problems={problems} path={`${path}.scripts.${when}`} />
      ))}
    </Stack>
  )
}

interface ScriptProps { when: When; script: TargetScript | undefined; onChange: (script: TargetScript | undefined) => void; problems: Record<string, string>; path: string }

function ScriptFields({ when, script, onChange, problems, path }: ScriptProps) {
  const from = script?.source.from ?? 'none'
  const set = (source: TargetScript['source']) => onChange({ source, timeoutSeconds: script?.timeoutSeconds ?? 300 })
  const at = (name: string) => problemAt(problems, `${path}.${name}`)
  return (
    <Stack gap="xs" role="group" aria-label={labels[when]}>
      <Select
        label={labels[when]} w={320} allowDeselect={false} data={dataOf(origins)} value={from} error={problems[path]} description={from === 'none' ? undefined : 'Runs only where bot.toml of the bot allows scripts.'}
        onChange={(next) => (next === 'device' || next === 'platform' ? set(blank[next]) : onChange(undefined))}
      />
      {script?.source.from === 'device' && (
        <Textarea label="Program and arguments" description="The absolute path of the program, then one argument to a line. No shell takes part." autosize minRows={2} value={script.source.argv.join('\n')} onChange={(e) => set({ from: 'device', argv: e.currentTarget.value.split('\n') })} onBlur={(e) => set({ from: 'device', argv: argumentLines(e.currentTarget.value) })} error={at('source')} required styles={monospace} />
      )}
      {script?.source.from === 'platform' && <PlatformScript source={script.source} set={set} at={at} />}
      {script && <NumberInput label="Time limit" w={160} suffix=" s" min={1} max={3600} allowDecimal={false} value={script.timeoutSeconds} onChange={(value) => onChange({ ...script, timeoutSeconds: Number(value) })} error={at('timeoutSeconds')} required />}
    </Stack>
  )
}

function PlatformScript({ source, set, at }: { source: Extract<TargetScript['source'], { from: 'platform' }>; set: (source: TargetScript['source']) => void; at: (name: string) => string | undefined }) {
  return (
    <>
      <TextInput label="Interpreter" w={320} description="Absolute path on the device." value={source.interpreter} onChange={(e) => set({ ...source, interpreter: e.currentTarget.value })} error={at('source.interpreter')} required styles={monospace} />
      <Textarea label="Script" description="Not for passwords: who may read the certificate may read it." autosize minRows={4} maxRows={20} value={source.text} onChange={(e) => set({ ...source, text: e.currentTarget.value })} error={at('source.text')} required spellCheck={false} styles={monospace} />
    </>
  )
}
