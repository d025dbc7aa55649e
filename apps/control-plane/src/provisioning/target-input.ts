import { CertloopError, machineOf, placementDefault, secretFields, type BotId, type CertificateId, type ConfigurationInput, type TargetInput, type TargetSecrets, type TargetSecretsInput } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { findBot } from '../bot/bot-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { otherOwnerOf, reachOf, samePlace, targetsOf, type NewTarget, type TargetRow } from './configuration-store.ts'
import { mergeSecrets, openSecrets, type KeptBefore } from './kept-secrets.ts'
import { fieldProblems, placeKeyOf, placeTitle } from './place.ts'
import { reachOfTypeProblems, reachProblems, sizeProblems } from './reach-problems.ts'

async function checkBot(tx: Tx, botId: BotId, field: string, problems: string[]): Promise<void> {
  const bot = await findBot(tx, botId)
  if (!bot) problems.push(`${field}: there is no such bot`)
  else if (bot.revokedAt) problems.push(`${field}: this bot was revoked`)
  else if (bot.purpose === 'discovery') problems.push(`${field}: this bot is for discovery only`)
}

/** Two identities on one place would replace each other for ever. */
async function checkPlace({ tx, id, complete, targets: others, problems }: Reading, target: NewTarget, field: string): Promise<void> {
  const where = target.reach === 'local' ? '' : ` on ${machineOf(target).replace(/^\w+ /, '')}`
  if (others.some((t) => samePlace(t, target))) problems.push(`${field}: the same place${where} is named twice`)
  const owner = await otherOwnerOf(tx, id, target)
  // What was enrolled again takes the places of its parent over once its configuration is complete.
  if (owner && !(owner.isParent && complete)) problems.push(`${field}: this place${where} belongs to the configuration of "${owner.name}" already${owner.isParent ? '; complete this configuration to take it over' : ''}`)
}

/** A secret may come among the fields: there it is one all the same. Given in both places, `secrets` counts. */
function splitFields(manifest: ServerTypeManifest, { fields, secrets }: TargetInput, field: string, problems: string[]): { plain: Record<string, unknown>; given: TargetSecretsInput } {
  const names = new Set(secretFields(manifest.fields))
  const isSecret = ([name]: [string, unknown]) => names.has(name)
  const entries = Object.entries(fields)
  const found = entries.filter(isSecret)
  problems.push(...found.filter(([, value]) => value !== null && typeof value !== 'string').map(([name]) => `${field}/fields/${name}: must be text`))
  const asText = Object.fromEntries(found.filter(([, value]) => value === null || typeof value === 'string')) as Record<string, string | null>
  return { plain: Object.fromEntries(entries.filter((entry) => !isSecret(entry))), given: { ...secrets, fields: { ...asText, ...secrets?.fields } } }
}

/** What is kept for a target, and where it goes. What can't be opened any more counts as not kept. */
function keptBefore(secrets: Secrets, row: TargetRow | undefined): KeptBefore | undefined {
  const manifest = row && serverTypes.find(row.serverType)?.manifest
  if (!manifest) return undefined
  try {
    return { place: { botId: row.botId, manifest, reach: reachOf(row), fields: fromJson(row.fields) }, secrets: openSecrets(secrets, row) }
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'SECRET_UNREADABLE') return undefined
    throw error
  }
}

/** Problems of fields and secrets together. A draft may lack secrets. */
function valueProblems(manifest: ServerTypeManifest, plain: Record<string, unknown>, secrets: TargetSecrets, field: string, complete: boolean): string[] {
  const secretPaths = secretFields(manifest.fields).map((name) => `${field}/fields/${name}: `)
  const lines = fieldProblems(manifest, { ...plain, ...secrets.fields }, `${field}/fields`)
  // What is missing is told by the merge, which knows why; a draft may wait for it.
  return lines.filter((line) => !secretPaths.some((path) => line.startsWith(path) && (!complete || line.endsWith(': is missing'))))
}

interface Reading { tx: Tx; secrets: Secrets; id: CertificateId; complete: boolean; present: readonly TargetRow[]; targets: NewTarget[]; problems: string[] }

async function readTarget(reading: Reading, input: TargetInput, field: string): Promise<void> {
  const { tx, secrets, complete, present, targets, problems } = reading
  const { botId, serverType, reach = 'local', overwrite, scripts } = input
  await checkBot(tx, botId, `${field}/botId`, problems)
  const manifest = serverTypes.find(serverType)?.manifest
  if (!manifest) {
    problems.push(`${field}/serverType: there is no server type "${serverType}"`)
    return
  }
  const { plain, given } = splitFields(manifest, input, field, problems)
  const place = { botId, serverType, placeKey: placeKeyOf(manifest, plain, reach) }
  const known = present.find((row) => samePlace(row, place) && !targets.some((t) => t.known === row.id))
  // Another place is another target, but what was secret about the one that is meant may stay.
  const meant = present.find((row) => row.id === input.id) ?? known
  const merged = mergeSecrets({ botId, manifest, reach, fields: plain }, keptBefore(secrets, meant), given)
  problems.push(
    ...reachOfTypeProblems(manifest, input, `${field}/reach`), ...reachProblems(reach, `${field}/reach`),
    ...valueProblems(manifest, plain, merged.secrets, field, complete),
    ...[...merged.problems, ...(complete ? merged.missing : [])].map((line) => `${field}/${line}`), ...sizeProblems(merged.secrets, `${field}/secrets`),
  )
  const options = { ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }) }
  const target: NewTarget = { known: known?.id ?? null, ...place, reach, fields: plain, options, placement: input.placement ?? placementDefault, secrets: merged.secrets, title: placeTitle(manifest, plain, reach) }
  await checkPlace(reading, target, field)
  targets.push(target)
}

/** Targets with their places and secrets; problems of every field of every target are collected into `problems`. */
export async function readTargets(tx: Tx, secrets: Secrets, id: CertificateId, input: ConfigurationInput, problems: string[]): Promise<NewTarget[]> {
  const targets: NewTarget[] = []
  const reading = { tx, secrets, id, complete: input.complete, present: await targetsOf(tx, id), targets, problems }
  const ids = input.targets.map((target) => target.id)
  problems.push(...ids.flatMap((each, i) => (each !== undefined && ids.indexOf(each) < i ? [`body.targets/${i}/id: the same target is named twice`] : [])))
  for (const [i, target] of input.targets.entries()) await readTarget(reading, target, `body.targets/${i}`)
  return targets
}
