import assert from 'node:assert/strict'
import { failsWith, type Run, valueNumber } from './dns-conformance-scene.ts'

/** Which zone holds a name. */
export const zoneTests: Run = async (t, { subject, connector, entry: { manifest } }) => {
  const { zone, zoneBelow, recordName } = subject
  const deep = recordName ?? `_acme-challenge.a.b.c.d.${zone}`
  await t.test('the zone of a name is found, also many labels below', async () => {
    const provider = await connector()
    assert.equal(await provider.findZone(deep), zone)
    assert.equal(await provider.findZone(recordName ?? `_acme-challenge.${zone}`), zone)
  })
  await t.test('the zone with the longest suffix is found', { skip: zoneBelow === undefined && 'there is one zone here' }, async () => {
    assert.equal(await (await connector()).findZone(`_acme-challenge.www.${zoneBelow}`), zoneBelow)
    assert.equal(await (await connector()).findZone(`_acme-challenge.${zoneBelow}`), zoneBelow)
  })
  await t.test('a name in no zone of the provider has none', async () => {
    const provider = await connector()
    assert.equal(await provider.findZone('_acme-challenge.www.nobody-holds-this.test'), undefined)
    // Ends with the same letters, and is another domain.
    assert.equal(await provider.findZone(`_acme-challenge.not${zone}`), undefined)
  })
  await t.test('the zones that are listed hold it', async () => {
    const listed = await (await connector()).listZones?.()
    if (listed === undefined) return
    assert.ok(listed.includes(zone), `${zone} is not among ${listed.join(', ')}`)
    if (zoneBelow !== undefined) assert.ok(listed.includes(zoneBelow))
    for (const each of listed) assert.match(each, /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/, 'zones are lower case, without a dot at the end')
  })
  await t.test('a zone that is not there is refused', async () => {
    const name = '_acme-challenge.www.nobody-holds-this.test'
    const adding = (await connector()).addTxt({ zone: 'nobody-holds-this.test', name, value: valueNumber(1), ttl: manifest.lowestTtl })
    const { message } = await failsWith(adding, 'DNS_RECORD_FAILED', 'DNS_PROVIDER_REFUSED')
    assert.match(message, /nobody-holds-this\.test/)
  })
}
