import { CertloopError, type SocketCommandStep } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { bodyForLog, lookFor } from './answers.ts'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'
import { isDown } from './is-down.ts'

/** More of an answer is not read. */
const limitBytes = 256 * 1024

type Command = SocketCommandStep['commands'][number]

async function converse(context: StepContext, step: SocketCommandStep): Promise<StepReport> {
  if (context.troubled && await isDown(context)) return { message: `${step.title}: the server is down; it reads its files when it starts.` }
  const end = performance.now() + step.timeoutSeconds * 1000
  const answers: string[] = []
  for (const command of step.commands) {
    const answer = await ask(context.host, step, command, end)
    if (!lookFor(command.expect, answer)) {
      throw new CertloopError('MANAGEMENT_REFUSED', `${step.title}: "${command.send.trim()}" was answered with: ${bodyForLog(answer)}`, { output: answer.slice(0, 4000) })
    }
    answers.push(answer)
  }
  return { message: `${step.title}: done.`, output: answers.join('').trim() || null }
}

/** One connection: what is sent may hold a private key, so only the answer is ever logged. */
async function ask(host: Host, step: SocketCommandStep, command: Command, end: number): Promise<string> {
  const left = () => Math.max(1, end - performance.now())
  const parts = [Buffer.from(command.send), ...(command.file === undefined ? [] : [await fileOf(host, command.file)]), Buffer.from(command.end ?? '')]
  const stream = await host.connect(step.socket, left())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (error?: CertloopError) => {
      clearTimeout(timer)
      stream.destroy()
      if (error) reject(error)
      else resolve(Buffer.concat(chunks).subarray(0, limitBytes).toString('utf8'))
    }
    const timer = setTimeout(() => { finish(new CertloopError('COMMAND_TIMEOUT', `${step.title}: no whole answer came within ${step.timeoutSeconds} s.`, { seconds: step.timeoutSeconds })) }, left())
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size > limitBytes) finish()
    })
    stream.on('error', (error: Error) => { finish(new CertloopError('HOST_UNREACHABLE', `${step.title}: the connection broke off: ${error.message}.`, {}, error)) })
    stream.on('end', () => { finish() })
    stream.on('close', () => { finish() })
    stream.end(Buffer.concat(parts))
  })
}

async function fileOf(host: Host, path: string): Promise<Uint8Array> {
  const content = await host.readFile(path)
  if (content === undefined) throw new CertloopError('MANAGEMENT_REFUSED', `${path}, which was to be sent, is not there.`, { path })
  return content
}

/** Tells a running server over its own socket. The files are read each time, so that after an undo the previous ones are sent. */
export const socketCommand: StepExecutor<SocketCommandStep> = {
  role: () => 'activate',
  do: converse,
  again: converse,
}
