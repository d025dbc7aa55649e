import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standingPrinter } from './follow.ts'
import type { World } from './world.ts'

function said(isTerminal: boolean, json = false) {
  let text = ''
  let ms = 0
  const world = { errIsTerminal: isTerminal, now: () => new Date(ms), err: (more: string) => { text += more } } as unknown as World
  const printer = standingPrinter({ world, json, note: (line) => { if (!json) text += `${line}\n` } })
  return { printer, pass: (seconds: number) => { ms += seconds * 1000 }, text: () => text }
}

test('on a terminal one line is written over, and makes room for others', () => {
  const { printer, text } = said(true)
  printer.show('1 of 3', false)
  printer.show('1 of 3', false)
  printer.show('2 of 3\u001b[2J', false)
  printer.clear()
  printer.show('2 of 3', false)
  printer.show('3 of 3', true)
  printer.breakLine()
  assert.equal(text(), '1 of 3\r\u001b[2K2 of 3\\u001b[2J\r\u001b[2K2 of 3\r\u001b[2K3 of 3\n')
})

test('elsewhere there is a line now and then, and always the last one', () => {
  const { printer, pass, text } = said(false)
  for (const [seconds, line, ended] of [[0, 'a', false], [1, 'b', false], [6, 'c', false], [9, 'c', false], [1, 'd', true]] as const) {
    pass(seconds)
    printer.show(line, ended)
  }
  assert.equal(text(), 'a\nc\nd\n')
  const quiet = said(true, true)
  quiet.printer.show('a', true)
  assert.equal(quiet.text(), '')
})
