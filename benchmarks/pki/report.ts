import type { Line } from './side-by-side.ts'

const figure = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

function describeLine({ name, unit, measured, peer, ratio, aim, pass, note }: Line): string {
  const beside = peer ? `; ${peer.name}: ${figure(peer.value)} ${unit}; ratio ${ratio.toFixed(2)}` : ''
  return [`${pass ? 'PASS' : 'FAIL'}: ${name}: ${figure(measured)} ${unit}${beside}; aim ${aim}`, ...(note === undefined ? [] : [`      ${note}`])].join('\n')
}

/** The lines of one part as text. */
export const describeLines = (part: string, lines: readonly Line[]): string => `\n${part}\n${lines.map((line) => `  ${describeLine(line).replaceAll('\n', '\n  ')}\n`).join('')}`
