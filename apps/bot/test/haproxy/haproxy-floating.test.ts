import { leftOut, startHaproxy } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertDeployed, deployer, stepKinds } from '../kit/kit.ts'
import { combined, frontend, pairOf, slotAt } from './haproxy-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('haproxy') : 'binds an address that is not there'
/** TEST-NET-3 of RFC 5737: nobody has it. */
const floating = '203.0.113.9'

test('an address that another machine has now is not proven: its certificate would be taken for the one of this machine', { skip }, async (t) => {
  const [old, alone, next] = await Promise.all([pairOf('one.test'), pairOf('two.test'), pairOf('one.test')])
  const haproxy = await startHaproxy(t, { portCount: 2, sections: async ({ folder, ports }) => {
    const [one, two] = await Promise.all([combined(join(folder, 'certs/one.pem'), old), combined(join(folder, 'certs/two.pem'), alone)])
    return frontend('here', ports[0], `crt ${one}`) + frontend('there', ports[0], `crt ${one} transparent`, floating) + frontend('away', ports[0], `crt ${two} transparent`, '203.0.113.10') + frontend('last', ports[1], `crt ${one}`)
  } })
  const [one, two] = [await slotAt(haproxy, 'one.pem'), await slotAt(haproxy, 'two.pem')]
  assert.deepEqual([...new Set(one.served.map(({ endpoint }) => endpoint.address))], ['127.0.0.1'])
  assert.match(two.problem?.message ?? '', /203\.0\.113\.10 is not an address of this machine now, so a handshake would reach another one/)
  const { plan, deploy } = await deployer(t, 'haproxy')
  const planned = await plan(one.fields, next)
  assert.equal(stepKinds(planned).at(-1), 'prove')
  assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints.map(({ endpoint }) => endpoint.address) : [])).filter((address) => address === floating), [])
  assertDeployed(await deploy(one.fields, next, planned))
})
