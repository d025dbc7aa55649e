import { CertloopError, type CsrTemplateRules } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import { deleteTemplate, insertTemplate, listTemplates, readTemplate, updateTemplate, versionsOfTemplate } from './csr-template-store.ts'
import { followTemplate } from './follow-template.ts'
import { rulesProblems } from './template-rules.ts'

/** @throws CertloopError INPUT_INVALID naming each field */
function check(rules: CsrTemplateRules): void {
  const fields = rulesProblems(rules).map(({ field, problem }) => `body.${field}: ${problem}`)
  if (fields.length > 0) throw new CertloopError('INPUT_INVALID', `The rules do not fit together: ${fields.slice(0, 5).join('; ')}.`, { fields })
}

export function registerCsrTemplateRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const { db } = database
  implement(app, 'listCsrTemplates', async () => ({ items: await listTemplates(db) }))
  implement(app, 'getCsrTemplate', async ({ params }) => ({ template: await readTemplate(db, params.id), versions: await versionsOfTemplate(db, params.id) }))
  implement(app, 'createCsrTemplate', async ({ body, who }) => {
    check(body.rules)
    return database.transaction((tx) => insertTemplate(tx, body, who.text, now()))
  })
  implement(app, 'updateCsrTemplate', async ({ params, body, who }) => {
    check(body.rules)
    return database.transaction(async (tx, wake) => {
      const changed = await updateTemplate(tx, params.id, body, who.text, now())
      await followTemplate(tx, wake, changed.id, now())
      return changed
    })
  })
  implement(app, 'deleteCsrTemplate', async ({ params }) => {
    await database.transaction((tx) => deleteTemplate(tx, params.id))
    return undefined
  })
}
