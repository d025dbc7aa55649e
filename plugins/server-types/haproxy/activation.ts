import { CertloopError } from '@certloop/contract'
import { type Host, type PlanMaterial } from '@certloop/plugin-kit'
import type { Static } from 'typebox'
import { forPlans } from '../shared/pem-files/environment.ts'
import type { Activation } from '../shared/pem-files/plan.ts'
import { trusted } from '../shared/pem-files/program.ts'
import type { ReadableSlot } from '../shared/pem-files/slots.ts'
import type { Configuration } from './configuration.ts'
import { type Instance, keyOf, reloadCommand, testCommand } from './instance.ts'
import type { fields as fieldSchema } from './manifest.ts'
import { findRuntime, runtimeStep } from './runtime.ts'

interface Wanted { host: Host; fields: Static<typeof fieldSchema>; slot: ReadableSlot; material: PlanMaterial }

/** By the runtime API or a reload, as the fields ask for it. @throws CertloopError PLAN_FAILED with the reasons when neither can be done */
export async function activation(instance: Instance, configuration: Configuration, { host, fields, slot, material }: Wanted): Promise<Activation> {
  const asked = fields.activation ?? 'auto'
  const common = { service: instance.process.service ?? `HAProxy (${keyOf(instance)})`, test: testCommand(instance), environment: forPlans(configuration.environment, configuration.variables).values }
  const reasons: string[] = []
  if (asked !== 'reload') {
    const step = await runtimeFor(host, instance, configuration, slot, material)
    if ('kind' in step) return { ...common, reload: null, steps: [step] }
    reasons.push(`The runtime API can not be used: ${step.reason}`)
  }
  if (asked !== 'runtime-api') {
    const reload = await reloadCommand(host, instance, await killProgram(host))
    if ('argv' in reload) return { ...common, reload: reload.argv, start: reload.start, process: reload.process }
    reasons.push(`This HAProxy can not be reloaded: ${reload.reason}.`)
  }
  throw new CertloopError('PLAN_FAILED', reasons.join(' '), { pid: instance.process.pid })
}

async function runtimeFor(host: Host, instance: Instance, configuration: Configuration, slot: ReadableSlot, { chainPem }: PlanMaterial) {
  const runtime = await findRuntime(host, instance, configuration)
  return 'reason' in runtime ? runtime : runtimeStep(runtime, configuration, instance, slot, chainPem)
}

async function killProgram(host: Host): Promise<string | undefined> {
  for (const place of ['/usr/bin/kill', '/bin/kill']) {
    const { program } = await trusted(host, place, { names: /^kill$/, otherwise: 'not kill' })
    if (program !== undefined) return program
  }
  return undefined
}
