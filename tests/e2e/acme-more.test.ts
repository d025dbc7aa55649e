import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { eventually, leftOut, nginxTempPaths, startCaddyAcme, startNginx, startPostfix, startPowerdns, type RunningCaddy, type RunningPowerdns } from '@certloop/test-kit'
import { eventsOf, nothingLeft, succeeded, timelineOf, trusted } from './kit/acme-look.ts'
import { acmeStage, addAcme, addBind, configured, csrFor, writable, type AcmeStage } from './kit/acme-stage.ts'
import { act, ended, uniqueName } from './kit/plane.ts'

const run = promisify(execFile)
const skip = leftOut('nginx') ?? leftOut('pebble') ?? leftOut('named')
const unlessRoot = process.getuid?.() === 0 ? undefined : 'ports below 1024 and Postfix need root'

test('a zone that nobody may write, and a web server that hands one path on: still from order to nginx', { skip, timeout: 180_000 }, async (t) => {
  const elsewhere = uniqueName()
  // The directory asks a resolver that follows CNAME records; with a root of its own it asks nobody else.
  const stage = await acmeStage(t, {
    policy: '', dnsOptions: 'recursion yes; allow-recursion { 127.0.0.0/8; };', records: `_acme-challenge CNAME _acme-challenge.shop.${elsewhere}.`,
    zones: [{ name: elsewhere, statements: `${writable} allow-transfer { any; };` }, { name: '.' }],
  })
  const { plane, name, tlsPort } = stage

  await t.test('DNS-01 by CNAME delegation into another zone', async () => {
    const pebble = await stage.startPebble()
    const authority = await addAcme(plane, 'By CNAME', pebble)
    await addBind(stage)
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name, `*.${name}`), validation: { method: 'dns' } })
    const action = await act(plane, id, 'rotate')
    await succeeded(stage, action)
    assert.match((await trusted(tlsPort, name, pebble)).subjectAltName ?? '', /DNS:\*\./)
    assert.match(await timelineOf(plane, action), new RegExp(`_acme-challenge\\.shop\\.${elsewhere} \\(where _acme-challenge\\.${name} leads by CNAME\\) is to be written in the zone ${elsewhere}\\.`))
    assert.match(stage.bind.log(), new RegExp(`updating zone '${elsewhere}/IN': adding an RR at '_acme-challenge\\.shop\\.${elsewhere}' TXT`))
    assert.doesNotMatch(stage.bind.log(), new RegExp(`updating zone '${name}/IN'`))
    await nothingLeft({ ...stage, textRecords: () => stage.textRecords(elsewhere) })
  })
  await t.test('HTTP-01 answered by the control plane through proxy_pass', async (s) => {
    const proxy = await startNginx(s, {
      configuration: ({ prefix, ports }) => `http {\n${nginxTempPaths(prefix)}  server { listen 127.0.0.1:${ports[0]}; location / { return 404; } location /.well-known/acme-challenge/ { proxy_pass http://127.0.0.1:${plane.port}; } }\n}\n`,
    })
    const pebble = await stage.startPebble({ httpPort: proxy.ports[0] ?? 0 })
    const authority = await addAcme(plane, 'By proxy', pebble)
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name, `www.${name}`), validation: { method: 'http' } })
    await succeeded(stage, await act(plane, id, 'rotate'))
    await trusted(tlsPort, name, pebble)
    assert.deepEqual(await stage.tokenFiles(), [])
    await nothingLeft(stage)
    const { items: [done] } = await plane.client.call('listValidations', { query: { certificateId: id } })
    assert.ok(done?.expected?.kind === 'http' && done.method === 'http')
    assert.equal((await fetch(`http://127.0.0.1:${proxy.ports[0]}${done.expected.path}`)).status, 404, 'it is not answered any more')
  })
})

/** Zone, server and a stage that asks it. */
async function powerdnsStage(t: Parameters<typeof acmeStage>[0], env: Record<string, string> = {}): Promise<{ stage: AcmeStage; dns: RunningPowerdns }> {
  const name = uniqueName()
  const dns = await startPowerdns(t, { zones: { [name]: 'Native' }, apiKey: 'key of a test' })
  for (const each of [name, `*.${name}`]) dns.put(name, each, 'A', '127.0.0.1')
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${dns.port}`])
  const stage = await acmeStage(t, { name, dns, env })
  return { dns, stage: { ...stage, textRecords: async () => (await resolver.resolveTxt(`_acme-challenge.${name}`).catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return []; throw error })).flat() } }
}

test('names in PowerDNS: by its API, and by a person who is told by e-mail', { skip: skip || (leftOut('pdns_server') ?? leftOut('postfix') ?? unlessRoot), timeout: 180_000 }, async (t) => {
  const postfix = await startPostfix(t, { settings: () => ({ smtpd_recipient_restrictions: 'permit_mynetworks, reject', smtpd_end_of_data_restrictions: 'check_client_access static:HOLD' }) })
  const { stage, dns } = await powerdnsStage(t, { CERTLOOP_SMTP_URL: `smtp://127.0.0.1:${postfix.ports[0]}`, CERTLOOP_MAIL_FROM: 'certloop@example.test' })
  const { plane, name, tlsPort } = stage
  const pebble = await stage.startPebble()
  const authority = await addAcme(plane, 'Pebble', pebble)

  await t.test('manual: it waits with instructions, and goes on once the record is there', async () => {
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name), validation: { method: 'manual', place: 'dns', notify: ['dns-team@example.test'] } })
    const started = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
    const validation = await eventually(async () => (await plane.client.call('listValidations', { query: { certificateId: id, state: 'waiting' } })).items[0], { what: 'instructions' })
    assert.ok(validation.expected?.kind === 'dns')
    const { recordName, value } = validation.expected
    assert.equal(recordName, `_acme-challenge.${name}`)
    for (const part of [recordName, value, 'dig +short TXT']) assert.ok(validation.instructions.some((step) => step.includes(part)), `${part} in ${validation.instructions.join('\n')}`)
    const { state, reason, nextAction } = (await plane.client.call('getOrder', { params: { id: validation.orderId } })).order
    assert.equal(state, 'processing')
    assert.match(`${reason} ${nextAction}`, new RegExp(`${name}.*Place what the validations of the order say`))

    const hold = join(postfix.folder, 'queue/hold')
    const [file = ''] = await eventually(async () => { const found = await readdir(hold); return found.length > 0 && found }, { what: 'the e-mail', timeoutMs: 60_000 })
    const mail = (await run('postcat', ['-c', postfix.configFolder, join(hold, file)])).stdout.replaceAll('=\n', '').replaceAll('=3D', '=')
    for (const part of ['To: dns-team@example.test', recordName, value]) assert.ok(mail.includes(part), `${part} in ${mail}`)

    const early = await plane.client.call('checkValidation', { params: { id: validation.id } })
    assert.deepEqual([early.state, early.lastLook?.visible], ['waiting', false])
    dns.put(name, recordName, 'TXT', `"${value}"`)
    const seen = await plane.client.call('checkValidation', { params: { id: validation.id } })
    assert.equal(seen.lastLook?.visible, true, JSON.stringify(seen.lastLook))
    await succeeded(stage, await ended(plane, started.id))
    await trusted(tlsPort, name, pebble)
    assert.deepEqual(await stage.textRecords(), [value], 'what a person placed is for the person to remove')
  })
  await t.test('DNS-01 by the API of PowerDNS, with a wildcard, beside what a person left there', async () => {
    const before = await stage.textRecords()
    const provider = await plane.client.call('createDnsProvider', { body: { name: 'PowerDNS', kind: 'powerdns', fields: { url: dns.url, plainHttp: true }, secrets: { apiKey: 'key of a test' } } })
    assert.equal(provider.health.state, 'ok', JSON.stringify(provider.health.lastReport))
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name, `*.${name}`), validation: { method: 'dns' } })
    await succeeded(stage, await act(plane, id, 'rotate'))
    assert.match((await trusted(tlsPort, name, pebble)).subjectAltName ?? '', /DNS:\*\./)
    await eventually(async () => (await stage.textRecords()).length === 1, { what: 'only what was there before' })
    assert.deepEqual(await stage.textRecords(), before)
  })
})

const caddyRoot = ({ trustPem }: RunningCaddy) => ({ root: () => Promise.resolve(trustPem) })

test('an IP address by a file, from Pebble and from the ACME server of Caddy, to nginx', { skip: skip || (leftOut('caddy') ?? unlessRoot), timeout: 180_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot, tlsPort } = stage
  // Caddy looks at port 80: on a loopback address of our own nobody else has it.
  const address = `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 250)).join('.')}`
  await startNginx(t, { configuration: ({ prefix, ports }) => `http {\n${nginxTempPaths(prefix)}  server { listen ${address}:80; listen 127.0.0.1:${ports[0]}; root ${webRoot}; }\n}\n` })
  const caddy = await startCaddyAcme(t)
  const pebble = await stage.startPebble({ httpPort: 80 })
  const fromCaddy = await plane.client.call('createAuthority', { body: { name: 'Caddy', kind: 'acme', fields: { directoryUrl: caddy.directoryUrl, trustPem: caddy.trustPem } } })
  assert.equal(fromCaddy.health.state, 'ok', JSON.stringify(fromCaddy.health.lastReport))
  for (const [authorityId, root] of [[(await addAcme(plane, 'Pebble', pebble)).id, pebble], [fromCaddy.id, caddyRoot(caddy)]] as const) {
    const { id } = await configured(stage, { authorityId, csr: csrFor(address), validation: { method: 'file', path: webRoot } })
    const action = await act(plane, id, 'rotate')
    await succeeded(stage, action)
    const leaf = await trusted(tlsPort, name, { root: () => root.root() }).catch((error: unknown) => error)
    assert.ok(leaf instanceof Error && (leaf as NodeJS.ErrnoException).code === 'ERR_TLS_CERT_ALTNAME_INVALID', 'trusted, and for the address instead of the name')
    assert.ok((await eventsOf(plane, action)).some(({ message }) => message.includes(address)))
    await nothingLeft(stage)
  }
})
