// One revocation among a hundred thousand: in process on both databases, and over the API of a running control plane.
import type { IssuedCertificateId } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { findTool, startPostgres, tools } from '@certloop/test-kit'
import { openDatabase } from '../../apps/control-plane/src/database/database.ts'
import { getIssued } from '../../apps/control-plane/src/local-ca/issued-store.ts'
import { seedRevoked } from '../../apps/control-plane/src/local-ca/seed-testing.ts'
import { startPlane } from '../../tests/e2e/kit/plane.ts'
import { cpuMs } from '../processes.ts'
import { median, quantile } from '../statistics.ts'
import { openCa, type CaPlace } from './ca/open-ca.ts'
import { issueMany } from './ca/prepare.ts'
import type { Revoked } from './ca/server.ts'
import { caFolder, startCaServer } from './ca/stand.ts'
import type { Cleanup } from './index.ts'
import { within, type Line } from './side-by-side.ts'

export interface RevokingSize { revoked: number; times: number }
const size: RevokingSize = { revoked: 100_000, times: 100 }
const limitMs = 50

/** Two lines: the median and the 99th of a hundred. */
function linesOf(name: string, times: readonly number[], note: string): Line[] {
  const line = (which: string, measured: number) => ({ name: `${name}, ${which}`, unit: 'ms', measured })
  return [within(limitMs, line('median', median(times))), within(limitMs, { ...line('p99', quantile(times, 0.99)), note })]
}

const commitsOf = ({ commits }: Revoked): string => `A bare durable commit at the same time: median ${median(commits).toFixed(1)} ms, p99 ${quantile(commits, 0.99).toFixed(1)} ms.`

/** Revokes one after the other: first alone, then while lists are made again and again. */
async function inProcess(cleanup: Cleanup, name: string, place: CaPlace, { revoked, times }: RevokingSize): Promise<Line[]> {
  const open = await openCa(place)
  const { rows, first, issuerId } = await issueMany(open, times * 2)
  await seedRevoked(open.database, first, revoked)
  await open.close()
  const ids = rows.map(({ id }) => id)
  const server = await startCaServer(cleanup, place)
  await server.watch(false)
  const alone = await server.revoke(ids.slice(0, times), 0)
  const { cpuMs: ownCpu } = await server.taken()
  let isDone = false
  let lists = 0
  const beside = server.revoke(ids.slice(times), 5).finally(() => { isDone = true })
  do { await server.publish(issuerId); lists++ } while (!isDone)
  const besides = await beside
  const lines = [
    ...linesOf(`one revocation, ${revoked} there, ${name}`, alone.revocations, `${commitsOf(alone)} Processor time: ${(ownCpu / times).toFixed(1)} ms.`),
    ...linesOf('the same while lists are made', besides.revocations, `${commitsOf(besides)} ${lists} lists of ${revoked} were made meanwhile.`),
  ]
  await server.stop()
  return lines
}

async function onPostgres(cleanup: Cleanup, wanted: RevokingSize): Promise<Line[]> {
  if (!findTool('postgres')) {
    process.stderr.write(`certloop: revocation on PostgreSQL is left out: postgres is not installed (Debian package ${tools.postgres.package}).\n`)
    return []
  }
  const postgres = await startPostgres()
  cleanup(() => postgres.stop())
  return inProcess(cleanup, 'PostgreSQL', { folder: await caFolder(cleanup), databaseUrl: postgres.url }, wanted)
}

/** Over HTTP, with session, audit and news, by the command line's client. */
async function overApi(cleanup: Cleanup, { revoked, times }: RevokingSize): Promise<Line[]> {
  const t = { after: cleanup }
  const plane = await startPlane(t, { env: { DATABASE_URL: '', CERTLOOP_MASTER_KEY: '' } })
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: ['shop.example.com'] })
  const ids: IssuedCertificateId[] = []
  for (let i = 0; i < times; i++) ids.push((await plane.client.call('issueCertificate', { body: { csrPem, profile: 'server' } })).id)
  await plane.kill('SIGTERM')
  const database = await openDatabase(`sqlite:${plane.dataFolder}/certloop.sqlite`)
  if (ids[0]) await seedRevoked(database, await getIssued(database.db, ids[0]), revoked)
  await database.close()
  await plane.restart()
  const taken: number[] = []
  const before = cpuMs(plane.process().pid)
  for (const id of ids) {
    const begin = performance.now()
    await plane.client.call('revokeCertificate', { params: { id }, body: { reason: 'superseded' } })
    taken.push(performance.now() - begin)
  }
  return linesOf('one revocation over the API, SQLite', taken, `Processor time of the control plane: ${((cpuMs(plane.process().pid) - before) / times).toFixed(0)} ms each, with the lists that it makes meanwhile.`)
}

/** Revocations with a hundred thousand revoked certificates in the database. PostgreSQL is one of the tests, which does not wait for the disk. */
export async function measureRevoking(cleanup: Cleanup, wanted = size): Promise<Line[]> {
  return [
    ...await inProcess(cleanup, 'SQLite', { folder: await caFolder(cleanup) }, wanted),
    ...await onPostgres(cleanup, wanted),
    ...await overApi(cleanup, wanted),
  ]
}
