import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namesAsked, namesExplained, problemsOfDependencies } from './dependencies.ts'

test('names come from all kinds of dependencies; our own workspaces are left out', () => {
  const texts = ['{"dependencies":{"a":"1","@certloop/pki":"*"},"devDependencies":{"b":"1"}}', '{"optionalDependencies":{"c":"1"}}', '{}']
  assert.deepEqual([...namesAsked(texts)], ['a', 'b', 'c'])
})

test('names are read from the first column of tables only', () => {
  const page = 'text `x`\n\n| package | for |\n| --- | --- |\n| `a`, `@b/c` | see `d` |\n'
  assert.deepEqual([...namesExplained(page)], ['a', '@b/c'])
})

test('both ways of drifting are told', () => {
  const problems = problemsOfDependencies(new Set(['a', 'b']), new Set(['b', 'c']))
  assert.deepEqual(problems, ['a is a dependency without a line in docs/dependencies.md', 'docs/dependencies.md explains c, which nothing depends on'])
})
