import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import { nextRunsOf } from '../schedule/next-runs.ts'
import { checkConfiguration, toCheck, type Checked, type ConfigurationDeps } from './configuration-check.ts'

/** What the schedule works with has to be there: zones and days that don't exist have no next run. */
const hasSchedule = ({ problems }: Checked): boolean => !problems.some(({ step }) => step === 'schedule')

export function registerConfigurationRoutes(app: App, deps: ConfigurationDeps & { database: Database }): void {
  const { database, now } = deps
  implement(app, 'checkConfiguration', async ({ params, body }) => database.transaction(async (tx) => {
    // Whatever it is now: the question is what it lacks to be whole.
    const checked = await checkConfiguration(tx, deps, params.id, { ...body, complete: true })
    const { renewal, deployment, deployAfterRenewal } = checked.configuration
    return toCheck(checked, hasSchedule(checked) ? await nextRunsOf(tx, params.id, { renewal, deployment, deployAfterRenewal, targets: checked.targets }, now()) : [])
  }))
}
