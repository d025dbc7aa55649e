import assert from 'node:assert/strict'
import { test } from 'node:test'
import { globPattern, logicalLines, readLine } from './words.ts'

test('comments, continued lines and quoted words', () => {
  assert.deepEqual(logicalLines('# x\n\n  TLSOptions a \\\n  b\r\n'), ['TLSOptions a    b'])
  assert.deepEqual(readLine('ServerName "A \\"B\\" c" d'), { kind: 'directive', name: 'servername', words: ['A "B" c', 'd'] })
  assert.deepEqual(readLine('<VirtualHost 127.0.0.1 ::1>'), { kind: 'begin', name: 'virtualhost', words: ['127.0.0.1', '::1'] })
  assert.deepEqual(readLine('</VirtualHost>'), { kind: 'end', name: 'virtualhost', words: [] })
})

test('wildcards stand for parts of a name and nothing else does', () => {
  assert.deepEqual(['a.conf', 'aXconf', 'b.conf.bak', '.conf'].map((name) => globPattern('*.conf').test(name)), [true, false, false, true])
  assert.deepEqual(['site1', 'site'].map((name) => globPattern('site?').test(name)), [true, false])
})
