import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linkTargets } from './links.ts'

test('relative links are found; addresses, anchors and code are not', () => {
  const page = 'See [a](b/c.md#part) and ![p](pages.png), [x](https://example.com), [y](#here), `[z](z.md)`.\n```\n[n](n.md)\n```\n[e](e.md)'
  assert.deepEqual(linkTargets(page), ['b/c.md', 'pages.png', 'e.md'])
})
