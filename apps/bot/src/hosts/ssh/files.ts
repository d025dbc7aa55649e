import { CertloopError } from '@certloop/contract'
import type { FileFacts, Host } from '@certloop/plugin-kit'
import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import type { HostFiles } from '../local-files.ts'
import type { Answer, FarSide, Question } from './ask.ts'
import { farFileError, reasonCode } from './far-errors.ts'
import { linkScript, listScript, makeDirectoryScript, placeScriptScript, readScript, realPathScript, removeDirectoryScript, removeScript, removeScriptScript, renameScript, stageScript, statScript } from './file-scripts.ts'

const defaultReadLimit = 16 * 1024 * 1024
const nothingThere = ['ENOENT', 'ENOTDIR']

/** File calls on the far host, one command each, with nothing but the usual programs of a Linux system. */
export function farFiles(far: FarSide, allowScripts: () => void): HostFiles & Pick<Host, 'placeScript' | 'removeScript'> {
  /** @returns undefined where one of the codes in `fine` was the reason */
  async function ask(file: string, doing: string, question: Question, fine: readonly string[] = []): Promise<Answer | undefined> {
    if (file.includes('\0')) throw new CertloopError('FILE_UNWRITABLE', `${JSON.stringify(file)} is not a path: it holds a zero byte.`, { path: file })
    const answer = await far.ask(question)
    if (answer.late) throw new CertloopError('HOST_UNREACHABLE', `${file}: could not ${doing}: the host did not end it in time.`, { path: file })
    if (answer.exitCode === 0) return answer
    if (fine.includes(reasonCode(answer.stderr.toString('utf8')) ?? '')) return undefined
    throw await farFileError(far, answer, file, doing)
  }

  return {
    async readFile(file, limitBytes = defaultReadLimit) {
      const answer = await ask(file, 'read it', { script: readScript(file, limitBytes), limitBytes: limitBytes + 100 }, nothingThere)
      if (answer === undefined) return undefined
      const line = answer.stdout.indexOf('\n')
      const size = Number(answer.stdout.subarray(0, line).toString())
      const content = answer.stdout.subarray(line + 1)
      const found = Math.max(size, content.length)
      if (found > limitBytes) throw new CertloopError('FILE_UNWRITABLE', `${file} has ${found} bytes; at most ${limitBytes} are read.`, { path: file })
      return new Uint8Array(content)
    },
    async stat(file) {
      const answer = await ask(file, 'look at it', { script: statScript(file) }, nothingThere)
      return answer && parseFacts(answer.stdout.toString('utf8'))
    },
    async realPath(file) {
      const answer = await ask(file, 'find out where it really lies', { script: realPathScript(posix.resolve('/', file)) }, [...nothingThere, 'ELOOP', 'silent'])
      return answer?.stdout.toString('utf8')
    },
    async list(folder) {
      const answer = await ask(folder, 'list this folder', { script: listScript(folder) }, nothingThere)
      return answer === undefined ? [] : answer.stdout.toString('utf8').split('\0').slice(0, -1).toSorted()
    },
    async stageFile(file, stagePath, content, ownership) {
      await ask(stagePath, 'write it', { script: stageScript(file, stagePath, content.length, ownership), input: content })
    },
    async linkFile(from, to) {
      await ask(to, 'make a second name for a file', { script: linkScript(from, to, `.${posix.basename(to)}.${randomBytes(6).toString('hex')}`) })
    },
    async renameFile(from, to) {
      await ask(to, 'put the new file in its place', { script: renameScript(from, to) })
    },
    async removeFile(file) {
      await ask(file, 'remove it', { script: removeScript(file) }, ['ENOENT'])
    },
    async makeDirectory(folder, ownership) {
      await ask(folder, 'make this folder', { script: makeDirectoryScript(folder, ownership) })
    },
    async removeDirectory(folder) {
      await ask(folder, 'remove this folder', { script: removeDirectoryScript(folder) }, ['ENOENT'])
    },
    async placeScript(name, content) {
      allowScripts()
      const answer = await ask(`/tmp/certloop-script-${plain(name)}`, 'put a script there', { script: placeScriptScript(`certloop-script-${plain(name)}`, content.length), input: content })
      return answer?.stdout.toString('utf8') ?? ''
    },
    async removeScript(name) {
      await ask(`/tmp/certloop-script-${plain(name)}`, 'remove it', { script: removeScriptScript(`certloop-script-${plain(name)}`) })
    },
  }
}

function plain(name: string): string {
  if (/^[A-Za-z0-9-]+$/.test(name)) return name
  throw new Error(`"${name}" is no name for a script`)
}

const types: Record<number, FileFacts['type']> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'link' }

/** "81a4 12 0 0" and, of a link, where it leads in what follows. */
function parseFacts(text: string): FileFacts {
  const line = text.indexOf('\n')
  const [mode = '', size, uid, gid] = text.slice(0, line).split(' ')
  const raw = Number.parseInt(mode, 16)
  const type = types[raw & 0o170000] ?? 'other'
  return { type, size: Number(size), mode: raw & 0o7777, uid: Number(uid), gid: Number(gid), linkTarget: type === 'link' ? text.slice(line + 1) : null }
}
