import { leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conformance, watching } from '../kit/conformance.ts'

conformance('files', {
  skip: leftOut('nginx'),
  async makeSubject(t) {
    const name = 'files-command.test'
    const folder = await tempFolder(t, 'pairs')
    const one = await writePair(folder, 'one', await selfSignedPair([name]))
    const nginx = await startNginx(t, { servers: [{ names: [name], ...one }] })
    const notes = join(nginx.prefix, 'notes.txt')
    await writeFile(notes, 'no certificate\n')
    return {
      fields: () => ({
        format: 'pem', certificatePath: one.certPath, keyPath: one.keyPath, proofPort: nginx.ports[0], proofName: name,
        command: [nginx.program, '-p', nginx.prefix, '-c', nginx.configPath, '-s', 'reload'],
      }),
      pairs: [one, await selfSignedPair([name])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [nginx.configPath, notes] }),
      badInput: [
        { what: 'a folder that is not there', code: 'FOLDER_MISSING', names: /missing/, spoil: async (fields) => ({ fields: { ...fields, keyPath: join(folder, 'missing', 'key.pem') } }) },
        { what: 'a file that is no certificate', code: 'PLAN_FAILED', names: /notes\.txt/, spoil: async (fields) => ({ fields: { ...fields, certificatePath: notes } }) },
        { what: 'an owner that the host does not know', code: 'PLAN_FAILED', names: /nobody-here/, spoil: async (fields) => ({ fields: { ...fields, owner: 'nobody-here' } }) },
      ],
      failures: [{
        what: 'a command that fails', code: 'RELOAD_FAILED',
        async spoil() {
          await rename(nginx.configPath, `${nginx.configPath}.away`)
          return () => rename(`${nginx.configPath}.away`, nginx.configPath)
        },
      }],
    }
  },
})
