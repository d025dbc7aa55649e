import { secretFields } from '@certloop/contract'
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fieldNoteTests, fieldTests, notesOf } from './conformance-manifest.ts'
import { failureTests } from './dns-conformance-failures.ts'
import { recordTests } from './dns-conformance-records.ts'
import { dnsSceneOf, type DnsSubject } from './dns-conformance-scene.ts'
import { zoneTests } from './dns-conformance-zones.ts'
import type { DnsProviderEntry, DnsProviderManifest } from './dns-provider.ts'

export type { DnsSubject, HeldRecord } from './dns-conformance-scene.ts'

export interface DnsConformanceOptions {
  /** Folder of the provider: `new URL('./', import.meta.url)` of one of its files. */
  folder: URL
  /** Starts the server or simulator; all tests share it, so it is stopped through `t` at their end. */
  makeSubject: (t: TestContext) => Promise<DnsSubject>
  /** Why the server can't be had here; false when it can. */
  skip?: string | false
}

/**
 * Registers the tests that every DNS provider has to pass, against a real server or a simulator of it. Call it at the top
 * level of a test file: `dnsProviderConformance(entry, { folder, makeSubject })`, where the entry is the line of the registry.
 *
 * The suite makes the connector's context itself: `outbound` may reach loopback, calls to a vendor's address are led to the
 * simulator by `subject.via`, `wait` is short. It stands between connector and server where calls go through `outbound` and
 * brings failures about there (unreachable, 429 with Retry-After, 503, an answer that is nothing, one that repeats the
 * credentials, a call whose answer is lost), so a simulator needs none of that. What speaks another protocol hands in `cut`.
 *
 * It shows: values are added beside others, once however often it is asked, and exactly ours are removed, also without a
 * receipt; values and types of others stay as they are; changes in parallel lose nothing when they go one at a time as the
 * manifest says; failures have the agreed codes; secrets are never told. What is particular to a provider (paging, its own
 * codes for throttling, status of propagation) is for tests of its own beside it.
 */
export function dnsProviderConformance(entry: DnsProviderEntry, options: DnsConformanceOptions): void {
  const { id } = entry.manifest
  describe(`DNS provider ${id}: what is said about it`, () => manifestTests(entry.manifest, options.folder))
  test(`DNS provider ${id}`, { skip: options.skip || false }, async (t) => {
    const scene = await dnsSceneOf(entry, await options.makeSubject(t))
    await fieldTests(t, { entry, fields: scene.subject.fields })
    await zoneTests(t, scene)
    await recordTests(t, scene)
    await failureTests(t, scene)
  })
}

/** What needs no server. */
function manifestTests(manifest: DnsProviderManifest, folder: URL): void {
  test('the folder has the name of the id', () => assert.equal(fileURLToPath(folder).replace(/\/$/, '').split('/').at(-1), manifest.id))
  test('title and summary are there', () => assert.ok(manifest.title.trim() !== '' && manifest.summary.trim() !== ''))
  test('the lowest time to live is one', () => assert.ok(Number.isInteger(manifest.lowestTtl) && manifest.lowestTtl >= 1 && manifest.lowestTtl <= 3600))
  test('a README says which rights it needs and what it does not do', () => {
    const readme = new URL('README.md', folder)
    assert.ok(existsSync(readme), 'no README.md')
    const text = readFileSync(readme, 'utf8')
    for (const word of ['## Rights', '## Not supported']) assert.ok(text.includes(word), `README.md has no "${word}"`)
  })
  fieldNoteTests(manifest.fields)
  test('the help of each secret field names the least rights', () => {
    const names = secretFields(manifest.fields)
    assert.ok(names.length > 0, 'no field is secret')
    for (const name of names) {
      const { help = '' } = notesOf(manifest.fields.properties[name] ?? {})
      assert.match(help, /\b(rights?|permissions?|scopes?|roles?|polic(y|ies)|grants?|may|allow(s|ed)?)\b/i, `field "${name}": ${help}`)
    }
  })
  test('a secret that goes to an address of the fields names it in sentTo', () => {
    const { properties } = manifest.fields
    const addresses = Object.keys(properties).filter((name) => /^(url|server|host|address|endpoint|apiUrl|baseUrl)$/i.test(name))
    for (const name of secretFields(manifest.fields)) {
      const { sentTo = [] } = notesOf(properties[name] ?? {})
      for (const each of sentTo) assert.ok(each in properties, `field "${name}": sentTo names "${each}", which is no field`)
      for (const address of addresses) assert.ok(sentTo.includes(address), `field "${name}" is sent to "${address}" and does not say so in sentTo`)
    }
  })
}
