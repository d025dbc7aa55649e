import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkShape } from './check.ts'
import { describeEndpoint, describeStep, Endpoint, type Plan, type Step } from './plan.ts'
import { canonicalJson, sealPlan } from './plan-digest.ts'

const body: Omit<Plan, 'digest'> = {
  serverType: 'nginx',
  observed: [{ name: '/etc/nginx/nginx.conf', digest: 'a'.repeat(64) }],
  steps: [
    { kind: 'write-file', path: '/etc/ssl/shop.pem', part: 'full-chain', contentDigest: 'b'.repeat(64), ownership: null, replaces: 'c'.repeat(64) },
    { kind: 'run-command', purpose: 'test', argv: ['/usr/sbin/nginx', '-t'], timeoutSeconds: 60 },
  ],
}

test('the digest covers everything in a plan and nothing of how it is written down', () => {
  const { digest } = sealPlan(body)
  const reordered = JSON.parse(`{"steps":${JSON.stringify(body.steps)},"observed":${JSON.stringify(body.observed)},"serverType":"nginx"}`) as typeof body
  assert.equal(sealPlan(reordered).digest, digest)
  const changes: Omit<Plan, 'digest'>[] = [
    { ...body, serverType: 'apache' },
    { ...body, observed: [{ name: '/etc/nginx/nginx.conf', digest: 'd'.repeat(64) }] },
    { ...body, observed: [] },
    { ...body, steps: body.steps.toReversed() },
    { ...body, steps: body.steps.slice(1) },
  ]
  for (const changed of changes) assert.notEqual(sealPlan(changed).digest, digest, JSON.stringify(changed))
})

test('an endpoint of before STARTTLS was known still reads, and its plan keeps its digest', () => {
  const old = { address: '127.0.0.1', port: 443, serverName: null, keyType: null }
  assert.deepEqual(checkShape(Endpoint, old, { what: 'The endpoint' }), old)
  assert.deepEqual(checkShape(Endpoint, { ...old, startTls: 'imap' }, { what: 'The endpoint' }), { ...old, startTls: 'imap' })
  assert.throws(() => checkShape(Endpoint, { ...old, startTls: 'gopher' }, { what: 'The endpoint' }))
  const planOf = (endpoint: Endpoint) => sealPlan({ ...body, steps: [{ kind: 'prove', expect: 'e'.repeat(64), endpoints: [{ endpoint, before: null }], timeoutSeconds: 1 }] })
  assert.equal(planOf(old).digest, 'e38fa8f34c464f01e6d223dc8697f1b4cbeee74d2d4dfe2927f977434f9fe5c5')
  assert.notEqual(planOf({ ...old, startTls: 'imap' }).digest, planOf(old).digest)
})

test('canonical JSON is the same for equal values and reads back as the value', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = canonicalJson(value)
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    assert.equal(canonicalJson(JSON.parse(text)), text)
  }))
})

test('every kind of step is a line for people', () => {
  const endpoint = { address: '::1', port: 443, serverName: 'shop.example', keyType: 'ec' as const }
  assert.equal(describeEndpoint(endpoint), '[::1]:443 (shop.example, ec)')
  assert.equal(describeEndpoint({ ...endpoint, startTls: 'smtp' }), '[::1]:443 (shop.example, ec, SMTP with STARTTLS)')
  assert.equal(describeEndpoint({ ...endpoint, serverName: null, keyType: null, startTls: null }), '[::1]:443')
  const lines: [Step, RegExp][] = [
    [{ kind: 'write-file', path: '/k', part: 'key', contentDigest: '', ownership: { mode: 0o600, uid: 0, gid: 0 }, replaces: null }, /^Write the private key in \/k \(new file, mode 0600\)$/],
    [{ kind: 'make-directory', path: '/d', ownership: { mode: 0o755, uid: 0, gid: 0 } }, /^Make the folder \/d \(mode 0755\)$/],
    [{ kind: 'run-command', purpose: 'test', argv: ['nginx', '-t'], timeoutSeconds: 1 }, /^Test the configuration: nginx -t/],
    [{ kind: 'reload-service', service: 'nginx', argv: ['nginx', '-s', 'reload'], timeoutSeconds: 1 }, /^Reload nginx: nginx -s reload/],
    [{ kind: 'prove', expect: 'e'.repeat(64), endpoints: [{ endpoint, before: null }], timeoutSeconds: 1 }, /^Prove that e{16}… is served on \[::1\]:443/],
  ]
  for (const [step, line] of lines) assert.match(describeStep(step), line)
})
