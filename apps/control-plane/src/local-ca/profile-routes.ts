import { CertloopError, type IssuanceProfile, type ProfileRules as RulesResource } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import { deleteProfile, insertProfile, listProfiles, updateProfile, type Profile } from './profile-store.ts'
import { checkRules } from './profile-rules-check.ts'
import { internalProfiles } from './profiles.ts'

const show = ({ name, rules, stored }: Profile): IssuanceProfile => ({
  name, builtIn: stored === null, internal: internalProfiles.includes(name), revision: stored?.revision ?? 0, rules: structuredClone(rules) as RulesResource, updatedAt: stored?.updatedAt.toISOString() ?? null,
})

/** @throws CertloopError INPUT_INVALID */
function checked(rules: RulesResource): RulesResource {
  const fields = checkRules(rules)
  if (fields.length > 0) throw new CertloopError('INPUT_INVALID', `The profile contradicts itself: ${fields[0]}.`, { fields: fields.map((line) => `rules.${line}`) })
  return rules
}

export function registerProfileRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  implement(app, 'listProfiles', async () => ({ items: (await listProfiles(database.db)).map(show) }))
  implement(app, 'createProfile', async ({ body }) => show(await database.transaction((tx) => insertProfile(tx, body.name, checked(body.rules), now()))))
  implement(app, 'updateProfile', async ({ params, body }) => show(await database.transaction((tx) => updateProfile(tx, params.name, checked(body.rules), body.revision, now()))))
  implement(app, 'deleteProfile', async ({ params }) => {
    await database.transaction((tx) => deleteProfile(tx, params.name))
    return undefined
  })
}
