import { Alert, List, Text } from '@mantine/core'
import { ApiProblem } from '@certloop/api-client'
import { typedFields } from '../provisioning/typed-fields.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'

const own: Record<string, string> = { name: 'Name', kind: 'Kind', preset: 'Ready-made entry', concurrency: 'Requests at a time' }

/** Why a plug-in was not saved, with the fields by their labels. */
export function PluginRefusal({ error, schema }: { error: Error; schema: unknown }) {
  if (!(error instanceof ApiProblem)) return <ProblemAlert error={error} />
  if (error.code === 'CONFLICT') return <Alert color="orange" role="alert" data-code="CONFLICT">{error.message}</Alert>
  const problems = Object.entries(fieldProblems(error))
  if (error.code !== 'INPUT_INVALID' || problems.length === 0) return <ProblemAlert error={error} />
  const fields = typedFields(schema)
  const labelOf = (path: string) => own[path] ?? fields.find(({ name }) => name === path.replace(/^(fields|secrets)\./, '').split('.')[0])?.label ?? path
  return (
    <Alert color="red" role="alert" title="Something does not fit" data-code="INPUT_INVALID">
      <List size="sm">{problems.map(([path, problem]) => <List.Item key={path} style={{ overflowWrap: 'anywhere' }}><b>{labelOf(path)}:</b> {problem}</List.Item>)}</List>
      <Text size="sm" mt={4}>Nothing was saved.</Text>
    </Alert>
  )
}
