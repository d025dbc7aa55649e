import { randomBytes, sign } from 'node:crypto'
import { buildOcspRequest, buildOcspResponse, certIdOf, generateKey, keySigner, nameOfCommonName, readOcspRequest, readOcspResponse, readPrivateKey, responderKeyHash, spkiOfKey } from '@certloop/pki'
import { atLeast, atMost, sideBySide, type Line } from './side-by-side.ts'

/** The formats alone, without HTTP and database: reading a request, building and signing its answer. */
export async function measureOcspFormat(): Promise<Line[]> {
  const key = readPrivateKey(await generateKey('ec-256'))
  const [spki, signer] = [spkiOfKey(key), keySigner(key)]
  const issuer = { subject: nameOfCommonName('Benchmark Intermediate E1'), spki }
  const requests = Array.from({ length: 64 }, () => buildOcspRequest({ certIds: [certIdOf(issuer, randomBytes(16).toString('hex'))] }).request)
  const requestOf = (i: number) => requests[i % requests.length] ?? Buffer.alloc(0)
  const keyHash = responderKeyHash(spki)
  const now = new Date('2026-11-21T12:00:00Z')
  const nextUpdate = new Date('2026-11-22T12:00:00Z')
  const answer = (i: number) => {
    const { certIds, nonce } = readOcspRequest(requestOf(i))
    return buildOcspResponse({ responder: { keyHash }, producedAt: now, responses: certIds.map(({ raw }) => ({ certId: raw, status: 'good' as const, thisUpdate: now, nextUpdate })), nonce }, signer)
  }
  const response = await answer(0)
  const toSign = randomBytes(250)
  const micros = await sideBySide({
    answer, bare: () => sign('sha256', toSign, key), request: (i) => readOcspRequest(requestOf(i)), response: () => readOcspResponse(response),
  }, { rounds: 30, times: 300 })
  return [
    atLeast(0.5, { name: 'an OCSP answer with nonce, read, built and signed with P-256', unit: 'per second', measured: 1e6 / micros.answer, peer: { name: 'crypto.sign', value: 1e6 / micros.bare }, note: `${micros.answer.toFixed(0)} µs, of which ${micros.bare.toFixed(0)} µs are the bare signature.` }),
    atMost(0.25, { name: 'reading an OCSP request', unit: 'µs', measured: micros.request, peer: { name: 'crypto.sign', value: micros.bare } }),
    atMost(0.5, { name: 'reading an OCSP response', unit: 'µs', measured: micros.response, peer: { name: 'crypto.sign', value: micros.bare } }),
  ]
}
