import { errorClasses, errorSpecs, type ErrorSpec } from '../../../packages/contract/src/index.ts'
import { code, generatedFrom, table } from './markdown.ts'

const retryWords: Record<ErrorSpec['retry'], string> = {
  never: 'No: asking again gives the same.',
  later: 'Later: it may pass by itself.',
  'after-change': 'Once somebody mends the cause.',
}

const describe = ([name, spec]: [string, ErrorSpec]): string => [
  `### ${name}`, '', spec.cause, '',
  `- **What to do:** ${spec.remedy}`,
  `- **Where:** ${spec.where}`,
  `- **Again?** ${retryWords[spec.retry]}`,
  `- **HTTP status:** ${spec.httpStatus}`,
].join('\n')

/** docs/reference/errors.md: every code, grouped by class. */
export function errorsPage(): string {
  const specs: [string, ErrorSpec][] = Object.entries(errorSpecs)
  const groups = errorClasses.map((name) => ({ name, members: specs.filter(([, spec]) => spec.class === name) })).filter(({ members }) => members.length > 0)
  return [
    generatedFrom('packages/contract/src/errors.ts'), '', '# Errors', '',
    'Every failure has one of these codes. The same code stands in the log, the API, the pages and messages. The message of an error adds the particulars.', '',
    table(['Code', 'Class', 'Cause'], specs.map(([name, spec]) => [`[${code(name)}](#${name.toLowerCase()})`, spec.class, spec.cause])), '',
    ...groups.flatMap(({ name, members }) => [`## Class: ${name}`, '', ...members.flatMap((member) => [describe(member), ''])]),
  ].join('\n')
}
