import { serverTypeConformance } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import { leftOut, selfSignedPair, startApache, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { assertDeployed, context, deployer, isOf, planMaterial, uniqueName } from './apache-kit.ts'

const entry = serverTypes.find('apache')
assert.ok(entry)

serverTypeConformance(entry, {
  folder: new URL('../../../../plugins/server-types/apache/', import.meta.url),
  skip: leftOut('apache2'),
  async makeSubject(t) {
    const name = uniqueName()
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([name]))
    const next = await selfSignedPair([name])
    const apache = await startApache(t, { hosts: [{ names: [name], ...one }] })
    const { deploy } = await deployer(t)
    return {
      context,
      isSubject: isOf(apache),
      material: planMaterial(next),
      apply: async (fields) => { assertDeployed(await deploy(fields, next)) },
      snapshot: () => Promise.all([one.certPath, one.keyPath, apache.configPath].map(async (file) => [await readFile(file, 'utf8'), (await stat(file)).ino])),
    }
  },
})
