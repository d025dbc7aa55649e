// A CRL of a million entries as the control plane makes and serves it: rows in SQLite, pages, signature, slices, HTTP.
import { readCrl } from '@certloop/pki'
import type { IssuedCertificateId, IssuerId } from '@certloop/contract'
import { seedRevoked } from '../../apps/control-plane/src/local-ca/seed-testing.ts'
import { median } from '../statistics.ts'
import { putLoad, type LoadResult } from './ca/load.ts'
import { openCa } from './ca/open-ca.ts'
import { issueMany, ocspRequests } from './ca/prepare.ts'
import { asPost } from './ca/requests.ts'
import type { Revoked } from './ca/server.ts'
import { caFolder, startCaServer, type CaServer } from './ca/stand.ts'
import type { Taken } from './ca/watch.ts'
import type { Cleanup } from './index.ts'
import { gencrlName, opensslCost } from './openssl-crl.ts'
import { atMost, within, type Line } from './side-by-side.ts'

const million = 1_000_000
const readers = 8

/** spare: certificates that are good, to be revoked. */
interface World { folder: string; issuerId: IssuerId; requests: Buffer[]; spare: IssuedCertificateId[] }

/** An issuer with that many revoked certificates, and OCSP requests about some of them. */
async function prepare(folder: string, count: number): Promise<World> {
  const open = await openCa({ folder })
  const { rows, first, issuerPem, issuerId } = await issueMany(open, 20)
  await seedRevoked(open.database, first, count)
  const found = await open.database.db.selectFrom('ca_certificate').select('serialNumber').where('revokedAt', 'is not', null).limit(500).execute()
  await open.close()
  const request = ocspRequests(issuerPem)
  return { folder, issuerId, spare: rows.map(({ id }) => id), requests: found.map(({ serialNumber }) => asPost(`/ocsp/${issuerId}`, request(serialNumber, { nonce: null }))) }
}

/** Publishes once with nothing else to do: whole processes are compared, so what it takes is its own time. */
async function publishAlone(cleanup: Cleanup, { folder, issuerId }: World): Promise<Taken> {
  const server = await startCaServer(cleanup, { folder })
  await server.watch(false)
  await server.publish(issuerId)
  const taken = await server.taken()
  await server.stop()
  return taken
}

interface Beside { taken: Taken; before: LoadResult; during: LoadResult; revoked: Revoked }

/** Publishes again while OCSP requests are answered and some certificates are revoked. */
async function publishBeside(server: CaServer, { issuerId, requests, spare }: World, seconds: number): Promise<Beside> {
  const load = { port: server.ports.handler, requests, connections: 4, pauseMs: 10 }
  await putLoad({ ...load, seconds: 1 }) // from now on answers come from the cache
  const before = await putLoad({ ...load, seconds: 2 })
  await server.watch(true)
  const [, during, revoked] = await Promise.all([server.publish(issuerId), putLoad({ ...load, seconds }), server.revoke(spare, 50)])
  return { taken: await server.taken(), before, during, revoked }
}

/** Several fetch the list at once. @returns also the bytes that came */
async function fetchList(server: CaServer, { issuerId }: World, count: number): Promise<{ taken: Taken; before: Taken; bytes: number }> {
  await server.watch(true)
  const before = await server.taken()
  await server.watch(true)
  const lists = await Promise.all(Array.from({ length: readers }, async () => Buffer.from(await (await fetch(`http://127.0.0.1:${server.ports.handler}/crl/${issuerId}.crl`)).arrayBuffer())))
  const taken = await server.taken()
  const [first = Buffer.alloc(0)] = lists
  const { entryCount } = readCrl(first)
  if (entryCount !== count || lists.some((list) => !list.equals(first))) throw new Error(`the list that came has ${entryCount} entries instead of ${count}, or not all are the same`)
  return { taken, before, bytes: first.length }
}

/** Publishing from a database of a million revoked rows, what that does to others, and serving the list. */
export async function measureCrlDatabase(cleanup: Cleanup, count = million): Promise<Line[]> {
  const world = await prepare(await caFolder(cleanup), count)
  const alone = await publishAlone(cleanup, world)
  const server = await startCaServer(cleanup, { folder: world.folder })
  const served = await fetchList(server, world, count)
  const beside = await publishBeside(server, world, Math.ceil(alone.ms / 1000) + 1)
  const theirs = await opensslCost(cleanup, count)
  const inTurns = (taken: Taken) => `Processor time of one turn of the loop; ${taken.stopMs.toFixed(0)} ms by the clock, in which other processes had the core as well.`
  return [
    atMost(1, { name: `a CRL of ${count} entries, from rows in SQLite to slices in SQLite`, unit: 's', measured: alone.ms / 1000, peer: { name: gencrlName, value: theirs.seconds }, note: `${(served.bytes / 1e6).toFixed(0)} MB of DER.` }),
    atMost(1, { name: 'most memory of that process', unit: 'MB', measured: alone.peakMb, peer: { name: gencrlName, value: theirs.megabytes } }),
    within(50, { name: 'longest time for which the event loop could serve nothing else', unit: 'ms', measured: beside.taken.turnMs, note: inTurns(beside.taken) }),
    within(50, { name: 'OCSP answers meanwhile, p99', unit: 'ms', measured: beside.during.p99, note: `${beside.during.answers} answers on four connections; the longest took ${beside.during.longest.toFixed(0)} ms. With no list being made: p99 ${beside.before.p99.toFixed(1)} ms, longest ${beside.before.longest.toFixed(0)} ms.` }),
    within(50, { name: 'one revocation meanwhile, median', unit: 'ms', measured: median(beside.revoked.revocations), note: `The longest of ${beside.revoked.revocations.length} took ${Math.max(...beside.revoked.revocations).toFixed(1)} ms; of as many bare commits, ${Math.max(...beside.revoked.commits).toFixed(1)} ms.` }),
    within(50, { name: `serving the list to ${readers} at once, longest turn of the event loop`, unit: 'ms', measured: served.taken.turnMs, note: `${(readers * served.bytes / 1e6 / served.taken.ms * 1000).toFixed(0)} MB a second.` }),
    within(100, { name: 'memory that this took', unit: 'MB', measured: served.taken.peakMb - served.before.peakMb }),
  ]
}
