import { leftOut, selfSignedPair, startApache, tempFolder, writePair } from '@certloop/test-kit'
import { conformance, watching } from '../kit/conformance.ts'
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
    }
  },
})
