import { serverTypeConformance } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import { leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { assertDeployed, deployer, isOf, nginxContext, planMaterial } from './nginx-kit.ts'

const entry = serverTypes.find('nginx')
assert.ok(entry)

serverTypeConformance(entry, {
  folder: new URL('../../../../plugins/server-types/nginx/', import.meta.url),
  skip: leftOut('nginx'),
  async makeSubject(t) {
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair(['one.test']))
    const next = await selfSignedPair(['one.test'])
    const nginx = await startNginx(t, { servers: [{ names: ['one.test'], ...one }] })
    const { deploy } = await deployer(t)
    return {
      context: nginxContext(),
      isSubject: isOf(nginx),
      material: planMaterial(next),
      apply: async (fields) => { assertDeployed(await deploy(fields, next)) },
      snapshot: () => Promise.all([one.certPath, one.keyPath, nginx.configPath].map(async (file) => [await readFile(file, 'utf8'), (await stat(file)).ino])),
    }
  },
})
