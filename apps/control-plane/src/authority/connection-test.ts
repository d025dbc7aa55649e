import type { TestReport } from '@certloop/contract'
import type { AuthorityConnector } from '@certloop/plugin-kit'
import { testPlugin } from '../plugin/test-report.ts'

/** The test of an authority, and when it goes well its profiles. */
export async function lookAtAuthority(connect: () => Promise<Pick<AuthorityConnector, 'test' | 'templates'>>, now: () => Date): Promise<{ report: TestReport; profiles: string[] | null }> {
  let profiles: string[] | null = null
  const report = await testPlugin(async () => {
    const connector = await connect()
    return {
      async test(steps) {
        await connector.test(steps)
        profiles = (await connector.templates?.())?.map(({ name }) => name) ?? null
      },
    }
  }, now)
  return { report, profiles }
}
