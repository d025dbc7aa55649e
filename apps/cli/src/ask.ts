import { createInterface } from 'node:readline'
import { Writable, type Readable } from 'node:stream'
import { exitCodes, Failure } from './failure.ts'

const withheld = () => new Failure({ exit: exitCodes.interrupted, what: 'Stopped; nothing was changed by this question.' })

/**
 * One question, one line. What is typed at a hidden one goes to nobody's screen.
 * @throws Failure at Ctrl-C or when the input ends
 */
export function askOnTerminal(question: string, { hidden = false }: { hidden?: boolean } = {}, input: Readable, output: Writable): Promise<string> {
  output.write(question)
  const nowhere = new Writable({ write(_chunk, _encoding, done) { done() } })
  return new Promise((resolve, reject) => {
    // The terminal mode turns the echo of the terminal off and leaves it to readline, which then writes to nowhere.
    const reader = createInterface({ input, output: hidden ? nowhere : output, terminal: 'isTTY' in input && input.isTTY === true, historySize: 0 })
    let answered = false
    reader.once('line', (line) => {
      answered = true
      reader.close()
      if (hidden) output.write('\n')
      resolve(line)
    })
    reader.once('SIGINT', () => reader.close())
    reader.once('close', () => {
      if (answered) return
      output.write('\n')
      reject(withheld())
    })
  })
}
