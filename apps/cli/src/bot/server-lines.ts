import { describeEndpoint, type BotDetail } from '@certloop/api-client'

/** The servers that a scan found, with their places, and what it could not read. */
export function serverLines(servers: BotDetail['servers'], problems: BotDetail['scanProblems']): string[] {
  const lines = servers.flatMap((server) => [
    `${server.title}${server.version ? ` ${server.version}` : ''}, process ${server.process.pid} of ${server.process.user}`,
    ...(server.problem ? [`  ${server.problem.message} (${server.problem.code})`] : []),
    ...server.slots.flatMap((slot) => [
      `  ${slot.title}${slot.names.length > 0 ? `: ${slot.names.join(', ')}` : ''}`,
      ...slot.served.map(({ endpoint, fingerprint, error }) => `    ${describeEndpoint(endpoint)}  ${fingerprint ?? error ?? 'no answer'}`),
      ...(slot.problem ? [`    ${slot.problem.message} (${slot.problem.code})`] : []),
    ]),
  ])
  return [
    '', 'Running servers', ...(lines.length === 0 ? ['  none found'] : lines.map((line) => `  ${line}`)),
    ...(problems.length === 0 ? [] : ['', 'What the scan could not read', ...problems.map(({ message, code }) => `  ${message} (${code})`)]),
  ]
}
