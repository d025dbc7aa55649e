import type { ProfileRules } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { nameOfFile, readBytes } from './files.ts'

export interface ProfileFile {
  rules: ProfileRules
  /** As it was read, when the file says so. */
  revision: number | undefined
}
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Rules from a file: what `profile show --json` prints, or its "rules" alone. The API judges them field by field.
 * @throws Failure when it is no JSON object
 */
export async function readProfileFile(context: Context, file: string | undefined): Promise<ProfileFile> {
  if (file === undefined) throw usage('Give the rules with --file.', 'A file to begin with: certloop profile show server --json > profile.json')
  const bytes = await readBytes(context, 'profile', file)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw usage(`${nameOfFile(file)} is not JSON: ${(error as Error).message}.`)
  }
  if (!isObject(value)) throw usage(`${nameOfFile(file)} holds no profile: it has to be a JSON object.`, 'A file to begin with: certloop profile show server --json > profile.json')
  const { rules = value, revision } = value
  return { rules: rules as ProfileRules, revision: typeof revision === 'number' && revision > 0 ? revision : undefined }
}
