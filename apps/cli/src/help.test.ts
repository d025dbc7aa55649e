import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commands } from './commands.ts'
import { nameOf } from './command.ts'
import { helpText } from './help.ts'
import { parseWords } from './parse.ts'

test('every command is explained, and each of its examples is understood', () => {
  for (const command of commands) {
    const text = helpText([command], commands)
    assert.ok(command.examples.some((example) => example.startsWith(nameOf(command))), nameOf(command))
    for (const option of Object.keys(command.options)) assert.match(text, new RegExp(`--${option}\\b`))
    for (const example of command.examples) {
      const [line = ''] = example.split(/ [|<>] /)
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
      const parsed = parseWords(words, commands)
      assert.equal(parsed.kind, 'run', example)
    }
  }
})

test('help is found in every way it is asked for', () => {
  const topicOf = (...words: string[]) => {
    const parsed = parseWords(words, commands)
    assert.equal(parsed.kind, 'help')
    return parsed.kind === 'help' ? parsed.topic.map(nameOf) : []
  }
  assert.equal(topicOf('--help').length, commands.length)
  assert.equal(topicOf('help').length, commands.length)
  assert.deepEqual(topicOf('help', 'order'), ['order list', 'order show', 'order cancel', 'order look-again'])
  assert.deepEqual(topicOf('order', '--help'), ['order list', 'order show', 'order cancel', 'order look-again'])
  for (const words of [['help', 'order', 'show'], ['order', 'show', '--help'], ['order', 'show', '-h'], ['--help', 'order', 'show']]) assert.deepEqual(topicOf(...words), ['order show'])
  assert.deepEqual(parseWords(['--version'], commands), { kind: 'version' })
})

test('names of commands are unique, and every list of words for people is whole', () => {
  assert.equal(new Set(commands.map(nameOf)).size, commands.length)
  assert.match(helpText(commands, commands), /certificate recheck-pinning CERTIFICATE/)
})
