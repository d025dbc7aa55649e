import { readFile } from 'node:fs/promises'
import type { Action, ActionKind, CertificateDetail } from '@certloop/api-client'
import { defineCommand, type Command, type OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes, usage } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { readTimeout, waitOptions } from '../follow.ts'
import { clean } from '../format/clean.ts'
import { paintState } from '../format/paint.ts'
import { facts } from '../format/table.ts'
import { dateAndDistance } from '../format/time.ts'
import { followAction, storedFailure } from './follow-action.ts'

const csrOption = { csr: { type: 'string', value: 'FILE', help: 'order with this certificate request (PEM) instead of one made on the host; "-" reads standard input' } } as const satisfies OptionSpecs
const versionOption = { version: { type: 'string', value: 'ID', help: 'deploy this version; default the newest' } } as const satisfies OptionSpecs

interface ActionText { kind: ActionKind; summary: string; options?: OptionSpecs; examples?: readonly string[] }
const actions: readonly ActionText[] = [
  { kind: 'initiate', summary: 'Take under management: check that every target can be reached; nothing is replaced' },
  { kind: 'order', summary: 'Order a new version and stop there', options: csrOption, examples: ['certificate order www.example.com --csr request.pem --wait'] },
  { kind: 'deploy', summary: 'Put a version onto its targets', options: versionOption },
  { kind: 'rotate', summary: 'Order a new version and deploy it, with proof and rollback' },
  { kind: 'rekey', summary: 'Rotate with a new key, also where keys are kept' },
  { kind: 'recheck-pinning', summary: 'Look what is served everywhere, and whether it is what should be' },
]

async function readCsr(context: Context, file: unknown): Promise<{ csrPem?: string }> {
  if (typeof file !== 'string') return {}
  const csrPem = file === '-' ? await context.world.readInput() : await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The certificate request can not be read: ${error.message}.`) })
  return { csrPem }
}

/** "version" is an id; anything else the API will name as a wrong field. */
const readVersion = (id: unknown): { versionId?: `ver_${string}` } => (typeof id === 'string' ? { versionId: id as `ver_${string}` } : {})

const actionFacts = ({ paint }: Context, name: string, { id, kind, state, reason, orderIds, deploymentIds }: Action) => [
  ['Action', `${kind} of ${name}`], ['Id', id], ['State', paintState(paint, state)], ['Result', state === 'failed' ? null : reason], ['Orders', orderIds.join(', ')], ['Deployments', deploymentIds.join(', ')],
] as const

/** After a failure the reason follows in full, so it is not told here as well. */
const certificateFacts = ({ paint, world }: Context, { state }: Action, { status, statusReason, fingerprint, notAfter }: CertificateDetail) => [
  ['Certificate', `${paintState(paint, status)}${state === 'failed' ? '' : `. ${statusReason}`}`], ['Fingerprint', fingerprint], ['Ends', dateAndDistance(notAfter, world)],
] as const

function actionCommand({ kind, summary, options = {}, examples = [] }: ActionText): Command {
  const all: OptionSpecs & typeof waitOptions = { ...options, ...waitOptions }
  return defineCommand({
    noun: 'certificate', verb: kind, summary,
    args: { certificate: { help: 'id or name' } },
    options: all,
    examples: [`certificate ${kind} www.example.com --wait`, `certificate ${kind} www.example.com --json`, ...examples],
    notes: ['With --wait each step is shown on standard error as it happens. Exit code 0: done; 1: failed, with code, cause, remedy and where.'],
    async run(context, { args, options: given }) {
      const timeout = readTimeout(given.timeout)
      const id = await findCertificate(context, args.certificate)
      const body = { ...await readCsr(context, given['csr']), ...readVersion(given['version']) }
      const client = await context.client()
      const started = await client.call('startAction', { params: { id, action: kind }, body })
      if (!given.wait) {
        context.show(started, (safe) => [...facts(actionFacts(context, args.certificate, safe)), `Follow it: certloop certificate timeline ${args.certificate}`])
        return exitCodes.done
      }
      const ended = await followAction(context, started, timeout)
      const certificate = await client.call('getCertificate', { params: { id } })
      context.show(ended, (safe) => facts([...actionFacts(context, certificate.name, safe), ...certificateFacts(context, safe, clean(certificate))]))
      if (ended.state === 'done') return exitCodes.done
      context.fail(await storedFailure(context, ended.reason ?? `"${kind}" failed.`, ended.error))
      return exitCodes.failed
    },
  })
}

/** One command for each lifecycle action. */
export const actionCommands: readonly Command[] = actions.map(actionCommand)
