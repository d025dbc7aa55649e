import { Checkbox, Group, MultiSelect, NumberInput, Radio, Select, SimpleGrid, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core'
import { keyAlgorithms, type ProfileRules } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { attributeName, attributeWords, keyName, keyUsageWords, nameTypeWords, purposeWords } from './ca-words.ts'

interface PartProps { rules: ProfileRules; change: (change: Partial<ProfileRules>) => void; problems: Record<string, string> }
const columns = { base: 1, sm: 2 }
const numberOr = (given: number | string, otherwise: number): number => (typeof given === 'number' ? given : otherwise)
const options = <T extends string>(words: Record<T, string>) => Object.entries<string>(words).map(([value, label]) => ({ value, label }))

export function GeneralRules({ rules, change, problems }: PartProps) {
  const { title, style, kind, defaultValidityDays, maximumValidityDays, backdateMinutes } = rules
  return (
    <Stack>
      <TextInput label="Title" description="One line for people." required maxLength={200} value={title} onChange={(e) => change({ title: e.currentTarget.value })} error={problems['rules.title']} />
      <SimpleGrid cols={columns}>
        <Radio.Group label="Style" value={style} onChange={(value) => change({ style: value })} error={problems['rules.style']}>
          <Stack gap="xs" mt={6}>
            <Radio value="private" label="Private" description="As the rules below say, and nothing else." />
            <Radio value="public" label="As public authorities" description="The CA/Browser Forum's rules hold besides, in every field." />
          </Stack>
        </Radio.Group>
        <Select label="For" allowDeselect={false} data={[{ value: 'end-entity', label: 'Servers, people, programs' }, { value: 'ca', label: 'CAs' }, { value: 'ocsp-responder', label: 'OCSP responders' }]} value={kind} onChange={(value) => value !== null && change({ kind: value })} error={problems['rules.kind']} />
        <NumberInput label="Usual lifetime in days" min={1} max={9132} allowDecimal={false} required value={defaultValidityDays} onChange={(value) => change({ defaultValidityDays: numberOr(value, 1) })} error={problems['rules.defaultValidityDays']} />
        <NumberInput label="Greatest lifetime in days" min={1} max={9132} allowDecimal={false} required value={maximumValidityDays} onChange={(value) => change({ maximumValidityDays: numberOr(value, 1) })} error={problems['rules.maximumValidityDays']} />
        <NumberInput label="Begins before it is issued" description="For hosts whose clock is behind." suffix=" minutes" min={0} max={2880} allowDecimal={false} required value={backdateMinutes} onChange={(value) => change({ backdateMinutes: numberOr(value, 0) })} error={problems['rules.backdateMinutes']} />
      </SimpleGrid>
    </Stack>
  )
}

export function NameRules({ rules: { names }, change, problems }: PartProps) {
  const set = (part: Partial<ProfileRules['names']>) => change({ names: { ...names, ...part } })
  return (
    <Stack>
      <Checkbox.Group label="Kinds of names" value={[...names.types]} onChange={(types) => set({ types: types })} error={problemAt(problems, 'rules.names.types')}>
        <Group mt={6}>{options(nameTypeWords).map(({ value, label }) => <Checkbox key={value} value={value} label={label} />)}</Group>
      </Checkbox.Group>
      <SimpleGrid cols={columns}>
        <NumberInput label="At most" suffix=" names" min={0} max={1000} allowDecimal={false} required value={names.maximum} onChange={(value) => set({ maximum: numberOr(value, 0) })} error={problems['rules.names.maximum']} />
        <Stack gap="xs">
          <Switch label="At least one name has to be there" checked={names.required} onChange={(e) => set({ required: e.currentTarget.checked })} error={problems['rules.names.required']} />
          <Switch label="Wildcards are allowed" checked={names.wildcards} onChange={(e) => set({ wildcards: e.currentTarget.checked })} error={problems['rules.names.wildcards']} />
        </Stack>
        <TagsInput label="Only within" description="Empty: anything. example.com covers it and all below; 10.0.0.0/8 its addresses." placeholder="Write one and press Enter" splitChars={[',', ' ', '\n']} maxTags={1000} value={[...names.permitted]} onChange={(permitted) => set({ permitted })} error={problemAt(problems, 'rules.names.permitted')} />
        <TagsInput label="Never within" description="Goes before what is permitted." placeholder="Write one and press Enter" splitChars={[',', ' ', '\n']} maxTags={1000} value={[...names.excluded]} onChange={(excluded) => set({ excluded })} error={problemAt(problems, 'rules.names.excluded')} />
      </SimpleGrid>
    </Stack>
  )
}

const attributes = (more: readonly string[]) => [...new Set([...Object.keys(attributeWords), ...more])].map((value) => ({ value, label: attributeName(value) }))

export function SubjectRules({ rules, change, problems }: PartProps) {
  const { commonName, subjectAttributes, requiredAttributes } = rules
  return (
    <Stack>
      <Radio.Group label="Common name" value={commonName} onChange={(value) => change({ commonName: value })} error={problems['rules.commonName']}>
        <Group mt={6}><Radio value="none" label="None" /><Radio value="allowed" label="May be there" /><Radio value="required" label="Has to be there" /></Group>
      </Radio.Group>
      <MultiSelect label="Other attributes that may be there" searchable data={attributes(subjectAttributes)} value={[...subjectAttributes]} onChange={(value) => change({ subjectAttributes: value, requiredAttributes: requiredAttributes.filter((type) => value.includes(type)) })} error={problemAt(problems, 'rules.subjectAttributes')} />
      <MultiSelect label="Those of them that have to be there" searchable data={attributes(subjectAttributes).filter(({ value }) => subjectAttributes.includes(value))} value={[...requiredAttributes]} onChange={(value) => change({ requiredAttributes: value })} error={problemAt(problems, 'rules.requiredAttributes')} />
    </Stack>
  )
}

export function KeyRules({ rules, change, problems }: PartProps) {
  return (
    <Stack>
      <MultiSelect label="Kinds of keys" data={keyAlgorithms.map((value) => ({ value, label: keyName(value) }))} value={[...rules.keyAlgorithms]} onChange={(value) => change({ keyAlgorithms: value })} error={problemAt(problems, 'rules.keyAlgorithms')} />
      <Checkbox.Group label="Key usage" value={[...rules.keyUsage]} onChange={(value) => change({ keyUsage: value })} error={problemAt(problems, 'rules.keyUsage')}>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} mt={6} spacing="xs">{options(keyUsageWords).map(({ value, label }) => <Checkbox key={value} value={value} label={label} />)}</SimpleGrid>
      </Checkbox.Group>
      <TagsInput label="Purposes" description="Empty: any purpose. Choose, or write a dotted identifier such as 1.3.6.1.4.1.311.20.2.2." data={options(purposeWords).map(({ value, label }) => ({ value, label: `${label} (${value})` }))} maxTags={20} value={[...rules.extendedKeyUsage]} onChange={(value) => change({ extendedKeyUsage: value.map((text) => /\((\w+)\)$/.exec(text)?.[1] ?? text) })} error={problemAt(problems, 'rules.extendedKeyUsage')} />
    </Stack>
  )
}

export function OtherRules({ rules, change, problems }: PartProps) {
  const { policies, mustStaple, pathLength, kind } = rules
  return (
    <SimpleGrid cols={columns}>
      <TagsInput label="Policies" description="Dotted identifiers, such as 2.23.140.1.2.1 for domain validated." splitChars={[',', ' ', '\n']} maxTags={20} value={[...policies]} onChange={(value) => change({ policies: value })} error={problemAt(problems, 'rules.policies')} />
      <Select label="Must-staple" allowDeselect={false} data={[{ value: 'never', label: 'Never' }, { value: 'asked', label: 'When the request asks' }, { value: 'always', label: 'In every certificate' }]} value={mustStaple} onChange={(value) => value !== null && change({ mustStaple: value })} error={problems['rules.mustStaple']} />
      {kind === 'ca' || pathLength !== null ? <NumberInput label="CAs below it" description="Greatest number in a row. Empty: not limited." min={0} max={10} allowDecimal={false} value={pathLength ?? ''} onChange={(value) => change({ pathLength: typeof value === 'number' ? value : null })} error={problems['rules.pathLength']} /> : <Text size="sm" c="dimmed">Only CAs have a number of CAs below them.</Text>}
    </SimpleGrid>
  )
}
