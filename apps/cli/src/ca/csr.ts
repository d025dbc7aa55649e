import type { CsrReport } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import type { Colour } from '../format/paint.ts'
import { facts } from '../format/table.ts'
import { readCsr } from './files.ts'

const colours: Record<CsrReport['findings'][number]['severity'], Colour> = { error: 'red', warning: 'yellow', notice: 'dim' }

function reportLines({ paint }: Context, r: CsrReport): string[] {
  return [
    ...facts([
      ['Subject', r.subject || '(empty)'], ['Common name', r.commonName], ['Names', r.names.join(', ')], ['Other names', r.otherNames.map(({ type, value }) => `${type}:${value}`).join(', ')], ['Key', r.keyAlgorithm], ['Key hash', r.spkiDigest],
      ['Signed with', r.signatureAlgorithm], ['Key usage', r.keyUsage.join(', ')], ['Extended', r.extendedKeyUsage.join(', ')], ['Must staple', r.mustStaple ? 'asked for' : null], ['CA', r.isCaRequest ? 'asks to be a CA' : null],
    ]),
    '', ...(r.findings.length === 0 ? ['Nothing is wrong with it.'] : r.findings.map(({ severity, message, code }) => `${paint(colours[severity], `${severity}:`)} ${message} (${code})`)),
  ]
}

export const csrInspect = defineCommand({
  noun: 'csr', verb: 'inspect', summary: 'Read a certificate request back into fields, with what is wrong with it',
  args: { file: { help: 'file with the request, PEM or DER; "-" reads PEM from standard input' } }, options: {},
  examples: ['csr inspect request.pem', 'csr inspect request.pem --json | jq .findings'],
  notes: ['Only the request is sent; a private key beside it stays on this machine. Exit code 1 when a finding is an error.'],
  async run(context, { args }) {
    const report = await (await context.client()).call('inspectCsr', { body: { csrPem: await readCsr(context, args.file) } })
    context.show(report, (safe) => reportLines(context, safe))
    return report.findings.some(({ severity }) => severity === 'error') ? exitCodes.failed : exitCodes.done
  },
})
