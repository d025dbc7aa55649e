import { leftOut, selfSignedPair, startApache, tempFolder, writePair } from '@certloop/test-kit'
import { dirname } from 'node:path'
import { breakingConfiguration, brokenConfiguration, conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { isOf, uniqueName } from './apache-kit.ts'

conformance('apache', {
  skip: leftOut('apache2'),
  async makeSubject(t) {
    const name = uniqueName()
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([name]))
    const apache = await startApache(t, { hosts: [{ names: [name], ...one }], background: true })
    return {
      isSubject: isOf(apache),
      pairs: [one, await selfSignedPair([name])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [apache.configPath] }),
      badInput: [unnamedPath('certificatePath'), unnamedPath('keyPath'), unwritableFolder(dirname(one.certPath)), brokenConfiguration(apache.configPath, 'Nonsense on\n', /Invalid command 'Nonsense'/)],
      failures: [breakingConfiguration(apache.configPath, 'Nonsense on\n')],
    }
  },
})
