import { type Plan, sealPlan, type Step } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineDifferences, planDifferences } from './differences.ts'

const write: Step = { kind: 'write-file', path: '/etc/shop.crt', part: 'full-chain', contentDigest: 'a', ownership: null, replaces: 'b' }
const check: Step = { kind: 'run-command', purpose: 'test', argv: ['nginx', '-t'], timeoutSeconds: 10 }
const reload: Step = { kind: 'reload-service', service: 'nginx', argv: ['nginx', '-s', 'reload'], timeoutSeconds: 10 }
const plan = (steps: Step[], observed: Plan['observed'] = []) => sealPlan({ serverType: 'nginx', observed, steps })
const between = (a: Plan, b: Plan) => planDifferences({ plan: a, texts: undefined }, { plan: b, texts: undefined })

test('steps that went, came, changed or moved', () => {
  assert.deepEqual(between(plan([write, check, reload]), plan([write, reload])), ['Step gone: Test the configuration: nginx -t'])
  assert.deepEqual(between(plan([write]), plan([write, reload])), ['Step added: Reload nginx: nginx -s reload'])
  assert.deepEqual(between(plan([write]), plan([{ ...write, replaces: 'c' }])), ['Step changed: Replace the certificate and its chain in /etc/shop.crt: the file that is there now is another one'])
  assert.deepEqual(between(plan([check]), plan([{ ...check, argv: ['nginx', '-t', '-q'] }])), ['Step changed: Test the configuration: nginx -t → Test the configuration: nginx -t -q'])
  assert.deepEqual(between(plan([write, check, reload]), plan([write, reload, check])), ['The steps come in another order.'])
})

test('a plan that was altered and kept its digest', () => {
  assert.match(between({ ...plan([write]), digest: '0'.repeat(64) }, plan([write]))[0] ?? '', /altered/)
})

test('texts that are no longer kept, came or went', () => {
  const before = plan([], [{ name: 'a', digest: '1' }, { name: 'b', digest: '1' }])
  const after = plan([], [{ name: 'a', digest: '2' }, { name: 'c', digest: '1' }])
  assert.deepEqual(between(before, after), ['a: changed; its earlier text is no longer kept', 'b: no longer part of the configuration', 'c: newly part of the configuration'])
})

test('lines that came and went have their numbers', () => {
  assert.deepEqual(lineDifferences('a\nb\nc\nd', 'a\nB\nc\nd\ne'), ['-2: b', '+2: B', '+5: e'])
  assert.deepEqual(lineDifferences('a\nb', 'a\nb'), [])
  assert.deepEqual(lineDifferences('', 'a'), ['-1: ', '+1: a'])
})

test('a huge difference is capped, and quick', () => {
  const many = (word: string) => Array.from({ length: 30_000 }, (_, i) => `${word} ${i}`).join('\n')
  const side = (digest: string, text: string) => ({ plan: plan([], [{ name: 'a', digest }]), texts: { a: text } })
  const lines = planDifferences(side('1', many('x')), side('2', many('y')))
  assert.equal(lines.length, 61)
  assert.match(lines.at(-1) ?? '', /59941 more lines/)
})
