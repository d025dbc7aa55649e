import { leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { dirname } from 'node:path'
import { breakingConfiguration, brokenConfiguration, conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { isOf } from './nginx-kit.ts'

conformance('nginx', {
  skip: leftOut('nginx'),
  thorough: true,
  async makeSubject(t) {
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair(['one.test']))
    const nginx = await startNginx(t, { servers: [{ names: ['one.test'], ...one }] })
    return {
      isSubject: isOf(nginx),
      pairs: [one, await selfSignedPair(['one.test'])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [nginx.configPath] }),
      badInput: [unnamedPath('certificatePath'), unnamedPath('keyPath'), unwritableFolder(dirname(one.certPath)), brokenConfiguration(nginx.configPath, 'nonsense on;\n', /unknown directive "nonsense"/)],
      failures: [breakingConfiguration(nginx.configPath, 'nonsense on;\n')],
    }
  },
})
