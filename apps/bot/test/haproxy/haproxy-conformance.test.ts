import { leftOut, startHaproxy } from '@certloop/test-kit'
import { join } from 'node:path'
import { conformance, watching } from '../kit/conformance.ts'
import { combined, frontend, pairOf } from './haproxy-kit.ts'

// By the runtime API, which counts by default; the reload has its own tests.
conformance('haproxy', {
  skip: leftOut('haproxy'),
  async makeSubject(t) {
    const [one, next, other] = await Promise.all([pairOf('one.test'), pairOf('one.test'), pairOf('other.test')])
    const haproxy = await startHaproxy(t, {
      statsLevel: 'admin',
      async sections({ folder, ports }) {
        await combined(join(folder, 'certs/one.pem'), one)
        await combined(join(folder, 'other/other.pem'), other)
        return frontend('web', ports[0], `crt ${folder}/certs/one.pem crt ${folder}/other/other.pem`)
      },
    })
    return {
      isSubject: ({ key }) => key === haproxy.configPath,
      pairs: [one, next],
      ...await watching({ own: [join(haproxy.folder, 'certs/one.pem')], foreign: [haproxy.configPath, join(haproxy.folder, 'other/other.pem')] }),
    }
  },
})
