import { CertloopError } from '@certloop/contract'
import type { TestSteps } from '@certloop/plugin-kit'

interface Reading {
  /** "Cloudflare" */
  title: string
  /** The zones that can be written; the first page of them is enough. */
  zones(): Promise<readonly string[]>
  /** Reads the records at a name as validations do. */
  read(zone: string, name: string): Promise<unknown>
  /** What to do where the credentials are taken and show no zone. */
  noZone: string
}

/** The test of a provider that lists zones: asks for them and reads records, and changes nothing. */
export async function testByReading(steps: TestSteps, { title, zones, read, noZone }: Reading): Promise<void> {
  const seen = await steps.step('Ask for the zones', zones, (found) => (found.length === 0 ? 'no zone' : `${found.slice(0, 5).join(', ')}${found.length > 5 ? ' and more' : ''}`))
  const [first] = seen
  if (first === undefined) throw new CertloopError('DNS_PROVIDER_REFUSED', `${title} takes the credentials, and shows no zone to them. ${noZone}`)
  await steps.step(`Read records of ${first}`, () => read(first, `_acme-challenge.${first}`), () => 'they may be read; whether they may be written shows at the first validation')
}
