import { readFile } from 'node:fs/promises'
import type { ConfigurationInput } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'

/** What an answer of the API has beyond what it takes. */
const onlyInAnswers = ['updatedAt'] as const
const onlyInTargets = ['botName', 'title', 'secretsSet', 'seenHostKey'] as const

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const without = (value: Record<string, unknown>, names: readonly string[]) => Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))

/**
 * A whole configuration from a file. One taken from `certificate show --json` fits as it is; everything else is left
 * to the API to judge, which names each field that does not fit.
 * @throws Failure when it is no JSON object
 */
export async function readConfigurationFile(context: Context, file: string): Promise<ConfigurationInput> {
  const where = file === '-' ? 'Standard input' : file
  const text = file === '-' ? await context.world.readInput() : await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The configuration can not be read: ${error.message}.`) })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usage(`${where} is not JSON: ${(error as Error).message}.`)
  }
  if (!isObject(value)) throw usage(`${where} holds no configuration: it has to be a JSON object.`)
  const targets = Array.isArray(value['targets']) ? { targets: value['targets'].map((target: unknown) => (isObject(target) ? without(target, onlyInTargets) : target)) } : {}
  return { ...without(value, onlyInAnswers), ...targets } as ConfigurationInput
}
