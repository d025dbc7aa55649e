import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NameConstraints } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'
import { checkNameConstraints } from './name-constraints.ts'

type Asked = Partial<Parameters<typeof checkNameConstraints>[2]>

test('constraints hold for wildcards, whatever the case, and for the mail address in the subject', async (t) => {
  const { ca } = await caWorld(t, await emptyDatabase(t))
  const root = issuerInSlot(await ca.issuers(), 'root')
  const under = async (name: string, nameConstraints: NameConstraints) => {
    const issuer = await ca.issuerService.create({ name, commonName: name, keyAlgorithm: 'ec-256', signedBy: root.id, validityDays: 100, settings: { pathLength: 0, nameConstraints } })
    return (asked: Asked) => () => checkNameConstraints(issuer, [issuer.certificate?.certificatePem ?? ''], { names: [], otherNames: [], subject: [], ...asked })
  }
  const limited = await under('Limited', { permitted: [{ type: 'dns', value: 'a.example' }, { type: 'email', value: 'a.example' }], excluded: [{ type: 'dns', value: 'X.a.example' }, { type: 'email', value: 'root@A.example' }] })
  const bad: Asked[] = [
    { names: ['*.a.example'] }, { names: ['x.a.example'] }, { names: ['*.x.a.example'] }, { names: ['b.example'] },
    { subject: [{ type: 'emailAddress', value: 'boss@evil.example' }] }, { otherNames: [{ type: 'email', value: 'root@a.example' }] }, { otherNames: [{ type: 'email', value: 'boss@evil.example' }] },
  ]
  for (const asked of bad) assert.throws(limited(asked), { code: 'NAME_INVALID' }, JSON.stringify(asked))
  const good: Asked[] = [{ names: ['a.example', '*.y.a.example'] }, { subject: [{ type: 'emailAddress', value: 'boss@a.example' }, { type: 'O', value: 'A' }] }, { otherNames: [{ type: 'email', value: 'boss@A.example' }] }]
  for (const asked of good) assert.doesNotThrow(limited(asked), JSON.stringify(asked))
})
