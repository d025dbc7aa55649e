import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJavaProperties } from './properties-file.ts'

test('names, separators, continued lines, escapes and comments as java.util.Properties has them', () => {
  const text = '# no\n  ! no\na=1\nb : 2\nc 3 3\n\nd\\ e\\==x\\u00e4\\ty\nlong=one,\\\n   two\\\\\nlast\na=4\\\n'
  assert.deepEqual([...parseJavaProperties(text)], [['a', '4'], ['b', '2'], ['c', '3 3'], ['d e=', 'x\u00e4\ty'], ['long', 'one,two\\'], ['last', '']])
})
