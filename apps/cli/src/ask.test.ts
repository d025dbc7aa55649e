import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { askOnTerminal } from './ask.ts'
import { Failure } from './failure.ts'

function terminal() {
  const [input, output] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()]
  let shown = ''
  output.setEncoding('utf8').on('data', (text: string) => { shown += text })
  return { input, output, shown: () => shown }
}

test('an answer is read and shown; a hidden one is read and not shown', async () => {
  const { input, output, shown } = terminal()
  const name = askOnTerminal('Name: ', {}, input, output)
  input.write('ada\r')
  assert.equal(await name, 'ada')
  const password = askOnTerminal('Password: ', { hidden: true }, input, output)
  input.write('secret word\r')
  assert.equal(await password, 'secret word')
  assert.match(shown(), /Name: [^]*ada[^]*Password: /)
  assert.doesNotMatch(shown(), /secret/)
})

test('Ctrl-C and the end of the input are no answer', async () => {
  for (const end of ['\u0003', undefined]) {
    const { input, output } = terminal()
    const question = askOnTerminal('Name: ', { hidden: true }, input, output)
    if (end === undefined) input.end()
    else input.write(end)
    await assert.rejects(question, (error) => error instanceof Failure && error.text.exit === 130)
  }
})
