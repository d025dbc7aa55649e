import { selfSignedPair } from '@certloop/test-kit'
import { median } from '../statistics.ts'
import { loadTool, putLoad, type Load } from './ca/load.ts'
import { openCa, type CaPlace } from './ca/open-ca.ts'
import { issueMany, ocspRequests } from './ca/prepare.ts'
import { asGet, asPost } from './ca/requests.ts'
import { caFolder, startCaServer, type CaServer } from './ca/stand.ts'
import type { Cleanup } from './index.ts'
import { atLeast, type Line } from './side-by-side.ts'

export interface OcspHttpSize { certificates: number; rounds: number; seconds: number }
const size: OcspHttpSize = { certificates: 300, rounds: 4, seconds: 1 }

/** Issues certificates, revokes some of them, and gives requests about them. @returns the issuer's path, and requests without and with nonce (DER) */
async function prepare(place: CaPlace, count: number): Promise<{ path: string; plain: Buffer[]; fresh: Buffer[] }> {
  const open = await openCa(place)
  const { rows, issuerId, issuerPem } = await issueMany(open, count)
  for (const [i, { id }] of rows.entries()) if (i % 20 === 0) await open.ca.revocation.revoke(id, { reason: 'superseded' })
  await open.close()
  const request = ocspRequests(issuerPem)
  return { path: `/ocsp/${issuerId}`, plain: rows.map(({ serialNumber }) => request(serialNumber, { nonce: null })), fresh: rows.map(({ serialNumber }) => request(serialNumber)) }
}

/** Answers for a second of the server's processor time: a rate per core, whatever else the machine does. */
async function rateOf(server: CaServer, load: Load): Promise<number> {
  await server.watch(false)
  const { answers } = await putLoad(load)
  return answers / (await server.taken()).cpuMs * 1000
}

async function signRate(server: CaServer): Promise<number> {
  await server.watch(false)
  await server.sign(4000)
  return 4000 / (await server.taken()).cpuMs * 1000
}

type Rates = Record<'get' | 'bareGet' | 'post' | 'barePost' | 'http' | 'https' | 'bareHttps' | 'fresh' | 'signs', number[]>

/** OCSP over HTTP as relying parties ask, beside what the HTTP stack alone gives; the server on one core, the load on the other. */
export async function measureOcspHttp(cleanup: Cleanup, { certificates, rounds, seconds } = size): Promise<Line[]> {
  const folder = await caFolder(cleanup)
  const { path, plain, fresh } = await prepare({ folder }, certificates)
  const { keyPem, certPem } = await selfSignedPair(['pki.example.com'])
  const first = await startCaServer(cleanup, { folder })
  const bytes = Buffer.from(await (await fetch(`http://127.0.0.1:${first.ports.handler}${path}`, { method: 'POST', body: new Uint8Array(plain[0] ?? []) })).arrayBuffer()).length
  const server = await startCaServer(cleanup, { folder, identity: { keyPem, certPem }, bareBytes: bytes })
  const { handler, listener, bare, bareSecure } = server.ports
  const [gets, posts, nonces] = [plain.map((der) => asGet(path, der)), plain.map((der) => asPost(path, der)), fresh.map((der) => asPost(path, der))]
  const load = (port: number, requests: Buffer[], secure = false): Load => ({ port, requests, secure, connections: 32, seconds })
  const loads: Record<Exclude<keyof Rates, 'signs'>, Load> = {
    get: load(handler, gets), bareGet: load(bare, gets), post: load(handler, posts), barePost: load(bare, posts), http: load(listener, gets), https: load(listener, gets, true), bareHttps: load(bareSecure, gets, true), fresh: load(handler, nonces),
  }
  const rates: Rates = { get: [], bareGet: [], post: [], barePost: [], http: [], https: [], bareHttps: [], fresh: [], signs: [] }
  for (let round = -1; round < rounds; round++) {
    for (const name of Object.keys(loads) as (keyof typeof loads)[]) {
      const rate = await rateOf(server, loads[name])
      if (round >= 0) rates[name].push(rate)
    }
    rates.signs.push(await signRate(server))
  }
  return linesOf(rates, bytes)
}

function linesOf(rates: Rates, bytes: number): Line[] {
  const line = (share: number, name: string, ours: keyof Rates, peer: keyof Rates, peerName: string, note?: string) =>
    atLeast(share, { name, unit: 'answers a second of one core', measured: median(rates[ours]), peer: { name: peerName, value: median(rates[peer]) }, ...(note === undefined ? {} : { note }) })
  const enough = 10_000
  const bare = `bare node:http, ${bytes} bytes from memory`
  const cached = [line(0.8, 'OCSP from cache, GET', 'get', 'bareGet', bare, `Load by ${loadTool()}.`), line(0.8, 'OCSP from cache, POST', 'post', 'barePost', bare)]
  return [
    // The aim of the issue: 10,000, or 0.8 of what the stack gives.
    ...cached.map((one) => ({ ...one, aim: `${enough} a second, or ratio 0.8`, pass: one.pass || one.measured >= enough })),
    line(0.7, 'the same through the listener of the control plane, http', 'http', 'bareGet', bare),
    line(0.7, 'the same through the listener of the control plane, https', 'https', 'bareHttps', 'bare node:https'),
    line(0.25, 'OCSP signed for each request (nonce), POST', 'fresh', 'signs', 'crypto.sign'),
  ]
}
