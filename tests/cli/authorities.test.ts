import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Authority, CertificateDetail, DnsProvider, OrderAttempt, TestReport, Validation } from '../../packages/api-client/src/index.ts'
import { runProcess, tempFolder } from '../../packages/test-kit/src/index.ts'
import { jsonOf, startLoop } from './kit.ts'

const timeout = 180_000
const secret = 'c2VjcmV0LW9mLXRoZS1hY2NvdW50'

test('an authority is added, tested, changed, chosen with others after it, and removed; its secrets are shown nowhere', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const file = join(await tempFolder(t, 'files'), 'eab.key')
  await writeFile(file, `${secret}\n`)
  assert.match((await cli.run('authority', 'types')).stdout, /^acme +ACME +/m)
  assert.match((await cli.run('authority', 'types', 'acme')).stdout, /directoryUrl \(text[^]*Ready-made entries[^]*lets-encrypt /)
  assert.match((await cli.run('authority', 'types', 'acne')).stderr, /no kind of authority "acne"\. Did you mean "acme"\?/)

  const words = ['--kind', 'acme', '--field', 'directoryUrl=https://127.0.0.1:9/dir', '--field', 'termsAgreed=true', '--field', 'eabKeyId=kid-1']
  const onLine = await cli.run('authority', 'add', 'Company', ...words, '--field', `eabHmacKey=${secret}`)
  assert.equal(onLine.code, 2)
  assert.match(onLine.stderr, /eabHmacKey is secret/)
  const added = await cli.run('authority', 'add', 'Company', ...words, '--secret', `eabHmacKey=${file}`, '--limit', 'order=300/3h', '--limit', 'domain=50/7d,new')
  assert.equal(added.code, 0, added.stderr)
  assert.match(added.stderr, /It is kept, but its test failed: /)
  assert.match(added.stdout, /Health: +failing/)
  assert.match(added.stdout, /50 certificates of a registered domain in 7 d, renewals it was told of not counted/)
  const tested = await cli.run('authority', 'test', 'company')
  assert.equal(tested.code, 1)
  assert.match(tested.stdout, /The test failed\.[^]*Steps[^]*FAIL/)
  assert.equal((JSON.parse((await cli.run('authority', 'test', 'company', '--json')).stdout) as TestReport).ok, false)
  assert.match((await cli.run('authority', 'use', 'Company')).stdout, /Nothing is used|USED/)
  const changed = jsonOf<Authority>(await cli.run('authority', 'change', 'Company', '--name', 'Company ACME', '--at-a-time', '3', '--json'))
  assert.deepEqual([changed.name, changed.concurrency, changed.limits.length, changed.secretsSet, changed.fields['eabKeyId']], ['Company ACME', 3, 2, ['eabHmacKey'], 'kid-1'])
  const shown = await cli.run('authority', 'show', 'Company ACME')
  assert.match(shown.stdout, /Secrets kept: +eabHmacKey/)
  for (const { stdout, stderr } of [added, tested, shown]) assert.ok(!`${stdout}${stderr}`.includes(secret))
  assert.match((await cli.run('authority', 'add', 'Other', '--preset', 'lets-encrypt-stagin')).stderr, /Did you mean "lets-encrypt-staging"/)

  await cli.run('certificate', 'add', 'shop.cli.test')
  const configured = await cli.run('certificate', 'configure', 'shop.cli.test', '--draft', '--name', 'shop.cli.test', '--authority', 'Company ACME', '--fallback-authority', 'Built-in CA', '--validation', 'manual', '--validation-place', 'file', '--notify', 'ops@cli.test', '--leave-out')
  assert.equal(configured.code, 0, configured.stderr)
  assert.match(configured.stdout, /Authority: +Company ACME\n +Then: +Built-in CA\n/)
  assert.match(configured.stdout, /Validation: +manual, a person places a file, told to ops@cli\.test, a renewal goes on without names/)
  const { configuration } = jsonOf<CertificateDetail>(await cli.run('certificate', 'configure', 'shop.cli.test', '--draft', '--fallback-authority', '', '--listen-on', '127.0.0.1:10443', '--validation', 'tls-alpn', '--json'))
  assert.deepEqual([configuration?.fallbackAuthorityIds, configuration?.validation.listenOn, configuration?.validation.notify, configuration?.validation.leaveOut], [[], '127.0.0.1:10443', [], true])
  assert.match((await cli.run('certificate', 'configure', 'shop.cli.test', '--validation', 'http', '--listen-on', '0.0.0.0:443')).stderr, /--listen-on goes with --validation tls-alpn, not with http/)

  assert.match((await cli.run('authority', 'delete', 'Company ACME', '--yes')).stderr, /shop\.cli\.test|configuration/)
  assert.equal((await cli.run('certificate', 'configure', 'shop.cli.test', '--draft', '--authority', 'Built-in CA', '--validation', 'none')).code, 0)
  assert.match((await cli.run('authority', 'delete', 'Company ACME')).stderr, /nobody can be asked/)
  assert.match((await cli.run('authority', 'delete', 'Company ACME', '--yes')).stdout, /is removed/)
  assert.match((await cli.run('authority', 'list')).stdout, /^Built-in CA /m)
})

test('a DNS provider is added with its secret, tested, changed and removed', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const file = join(await tempFolder(t, 'files'), 'token')
  await writeFile(file, `${secret}\n`)
  assert.match((await cli.run('dns-provider', 'list')).stdout, /There is no DNS provider yet/)
  assert.match((await cli.run('dns-provider', 'types')).stdout, /^powerdns /m)
  assert.match((await cli.run('dns-provider', 'types', 'powerdns')).stdout, /given with --secret apiKey=FILE/)
  const added = await cli.run('dns-provider', 'add', 'own', '--kind', 'powerdns', '--field', 'url=https://127.0.0.1:9', '--secret', `apiKey=${file}`)
  assert.equal(added.code, 0, added.stderr)
  assert.match(added.stderr, /It is kept, but its test failed/)
  assert.match((await cli.run('dns-provider', 'add', 'wrong', '--kind', 'powerdns', '--field', 'adress=x', '--secret', `apiKey=${file}`)).stderr, /--field url: is missing; --field adress: there is no such field/)
  const tested = await cli.run('dns-provider', 'test', 'own')
  assert.equal(tested.code, 1)
  assert.match(tested.stdout, /FAIL/)
  const changed = jsonOf<DnsProvider>(await cli.run('dns-provider', 'change', 'own', '--name', 'ours', '--json'))
  assert.deepEqual([changed.name, changed.secretsSet], ['ours', ['apiKey']])
  await cli.run('certificate', 'add', 'shop.cli.test')
  await cli.run('authority', 'add', 'Company', '--kind', 'acme', '--field', 'directoryUrl=https://127.0.0.1:9/dir')
  const configured = await cli.run('certificate', 'configure', 'shop.cli.test', '--draft', '--authority', 'Company', '--dns-provider', 'ours')
  assert.match(configured.stdout, /Validation: +dns, through ours/, configured.stderr)
  assert.match((await cli.run('dns-provider', 'delete', 'ours', '--yes')).stderr, /shop\.cli\.test|named|used/)
  await cli.run('certificate', 'configure', 'shop.cli.test', '--draft', '--dns-provider', '')
  assert.match((await cli.run('dns-provider', 'delete', 'ours', '--yes')).stdout, /is removed/)
  for (const { stdout, stderr } of [added, tested, configured]) assert.ok(!`${stdout}${stderr}`.includes(secret))
})

test('an order tells whom it asked; validations are listed, and found by the certificate', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const name = 'shop.cli.test'
  await cli.run('certificate', 'add', name)
  assert.equal((await cli.run('certificate', 'configure', name, '--name', name)).code, 0)
  const csr = join(cli.home, 'request.pem')
  await runProcess(t, ['openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(cli.home, 'key.pem'), '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-out', csr])
  const ordered = await cli.run('certificate', 'order', name, '--csr', csr, '--wait')
  assert.equal(ordered.code, 0, ordered.stderr)
  assert.match((await cli.run('order', 'show', name)).stdout, /State: +complete[^]*Authorities asked\n +AUTHORITY[^]*Built-in CA +issued/)
  const { attempts, validations } = jsonOf<{ attempts: OrderAttempt[]; validations: Validation[] }>(await cli.run('order', 'show', name, '--json'))
  assert.deepEqual([attempts.map(({ state }) => state), validations], [['issued'], []])
  assert.match((await cli.run('validation', 'list', '--certificate', name)).stdout, /There are no such validations/)
  assert.match((await cli.run('validation', 'show', name)).stderr, /has no validation/)
  assert.match((await cli.run('validation', 'check', 'val_00000000000000000000000000')).stderr, /NOT_FOUND/)
  assert.equal((await cli.run('validation', 'list', '--state', 'wating')).code, 2)
})
