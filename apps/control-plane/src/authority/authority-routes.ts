import { serverTypes } from '@certloop/server-types'
import { implement, type App } from '../http/index.ts'
import { reachesOf } from '../provisioning/reach-problems.ts'
import type { Authorities } from './authority-service.ts'
import { getAuthority, listAuthorities } from './authority-store.ts'
import { showAuthority, showKinds, type ViewDeps } from './authority-view.ts'
import { useOf } from './budget-use.ts'

export interface AuthorityRouteDeps extends ViewDeps { authorities: Authorities; now: () => Date }

export function registerAuthorityRoutes(app: App, deps: AuthorityRouteDeps): void {
  const { authorities, database: { db }, now } = deps
  implement(app, 'listAuthorityTypes', async () => ({ items: showKinds() }))
  implement(app, 'listAuthorities', async () => ({ items: await Promise.all((await listAuthorities(db)).map((row) => showAuthority(deps, row))) }))
  implement(app, 'createAuthority', async ({ body, who }) => showAuthority(deps, await authorities.create(body, who.text)))
  implement(app, 'getAuthority', async ({ params }) => showAuthority(deps, await getAuthority(db, params.id)))
  implement(app, 'updateAuthority', async ({ params, body, who }) => showAuthority(deps, await authorities.update(params.id, body, who.text)))
  implement(app, 'deleteAuthority', async ({ params, who }) => {
    await authorities.remove(params.id, who.text)
    return undefined
  })
  implement(app, 'testAuthority', async ({ params }) => authorities.test(params.id))
  implement(app, 'rollAuthorityKey', async ({ params, who }) => showAuthority(deps, await authorities.rollAccountKey(params.id, who.text)))
  implement(app, 'getAuthorityUse', async ({ params }) => useOf(db, await getAuthority(db, params.id), now()))
  implement(app, 'listServerTypes', async () => ({
    items: serverTypes.all.map(({ manifest }) => ({ id: manifest.id, title: manifest.title, category: manifest.category, summary: manifest.summary, capabilities: [...manifest.capabilities], reaches: [...reachesOf(manifest)], fields: manifest.fields })),
  }))
}
