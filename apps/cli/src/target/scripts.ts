import { readFile } from 'node:fs/promises'
import type { TargetOptions, TargetScript } from '@certloop/api-client'
import type { Given, OptionSpecs } from '../command.ts'
import { usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'

const device = (when: string) => `run this program of the device ${when}; repeat for its arguments`
export const scriptOptions = {
  'before': { type: 'string', value: 'FILE', help: 'script to run before anything is changed; it is kept in the platform. "" removes it' },
  'after': { type: 'string', value: 'FILE', help: 'script to run after the proof; it is kept in the platform. "" removes it' },
  'before-device': { type: 'string', value: 'WORD', multiple: true, help: device('before anything is changed') },
  'after-device': { type: 'string', value: 'WORD', multiple: true, help: device('after the proof') },
  'script-seconds': { type: 'string', value: 'SECONDS', help: 'stop a script after this long, 1 to 3600; default 300' },
} as const satisfies OptionSpecs
type ScriptOptions = Given<Record<never, never>, typeof scriptOptions>['options']
type Scripts = NonNullable<TargetOptions['scripts']>

/** The interpreter stands in the first line, as the system would read it. */
async function platformScript(option: string, file: string): Promise<TargetScript['source']> {
  const text = await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The script of --${option} can not be read: ${error.message}.`) })
  const interpreter = /^#! *(\/\S+) *\r?\n/.exec(text)?.[1]
  if (interpreter === undefined) throw usage(`${file} does not begin with "#!" and the absolute path of its interpreter alone, such as #!/bin/sh.`)
  return { from: 'platform', interpreter, text }
}

async function readScript(when: 'before' | 'after', given: ScriptOptions, present: TargetScript | undefined): Promise<TargetScript | undefined> {
  const [file, argv] = [given[when], given[`${when}-device`]]
  if (file !== undefined && argv !== undefined) throw usage(`--${when} and --${when}-device do not go together.`)
  const timeoutSeconds = wholeNumber('script-seconds', given['script-seconds'], 1, 3600) ?? present?.timeoutSeconds ?? 300
  if (argv !== undefined) return { source: { from: 'device', argv }, timeoutSeconds }
  if (file === '') return undefined
  if (file !== undefined) return { source: await platformScript(when, file), timeoutSeconds }
  return present && { ...present, timeoutSeconds }
}

/** What is not given stays as it was. @returns nothing when there is no script */
export async function readScripts(given: ScriptOptions, present: Scripts = {}): Promise<{ scripts?: Scripts }> {
  const [before, after] = [await readScript('before', given, present.before), await readScript('after', given, present.after)]
  return before ?? after ? { scripts: { ...(before ? { before } : {}), ...(after ? { after } : {}) } } : {}
}
