import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { extension, nameConstraints } from '../certificate/index.ts'
import { element, explicit, implicit, nullElement, sequence } from '../der/der-writer.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { at, make, nameOf, pemOf, type MakeOptions } from './chain-testing.ts'
import { checkChain } from './check-chain.ts'

const organization = nameOf(['2.5.4.10', 'Example'])
const ipOnly = nameConstraints({ permitted: [{ type: 'ip', value: '10.0.0.0/8' }], excluded: [] })
const hostsOnly = nameConstraints({ permitted: [{ type: 'dns', value: 'example.com' }], excluded: [] })
const notTheFirm = extension('2.5.29.30', true, sequence(element(0xa1, sequence(explicit(4, organization)))))
const alternativeName = (raw: Buffer): Buffer => extension('2.5.29.17', false, sequence(raw))

const cases: [string, Buffer, Partial<MakeOptions>][] = [
  ['an address of five bytes', ipOnly, { extra: [alternativeName(implicit(7, Buffer.of(192, 0, 2, 1, 9)))] }],
  ['a directory name with something after it', notTheFirm, { extra: [alternativeName(element(0xa4, organization, nullElement()))] }],
  ['the first of two common names', hostsOnly, { subject: nameOf(['2.5.4.3', 'www.example.org'], ['2.5.4.3', 'www.example.com']) }],
]
for (const [title, constraints, leafOptions] of cases) {
  test(`names that escape constraints, refused as openssl does: ${title}`, { skip: leftOut('openssl') }, async (t) => {
    const folder = temporaryFolder(t)
    const root = await make({ name: 'Root', isCa: true, extra: [constraints] })
    const leaf = await make({ name: 'Leaf', issuer: root, names: [], ...leafOptions })
    const { isValid, findings } = checkChain([leaf.facts], { at, anchors: [root.facts] })
    assert.deepEqual([isValid, findings.map(({ code }) => code)], [false, ['NAME_CONSTRAINT_VIOLATED']])
    for (const [file, made] of Object.entries({ root, leaf })) writeFileSync(`${folder}/${file}`, pemOf(made))
    assert.throws(() => openssl(['verify', '-attime', String(at.getTime() / 1000), '-CAfile', `${folder}/root`, `${folder}/leaf`]))
  })
}
