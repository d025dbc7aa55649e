import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { readCertificate } from '@certloop/pki'
import { publicStyleLeaves } from './leaves.ts'
import { atMost, sideBySide, type Line } from './side-by-side.ts'

async function compare(name: string, corpus: readonly Buffer[]): Promise<Line> {
  const at = (i: number) => corpus[i % corpus.length] ?? Buffer.alloc(0)
  const { ours, peer } = await sideBySide({ ours: (i) => readCertificate(at(i)), peer: (i) => new X509Certificate(at(i)) }, { rounds: 30, times: corpus.length * 4 })
  return atMost(2, { name, unit: 'µs', measured: ours, peer: { name: 'new X509Certificate(der)', value: peer } })
}

/** Reading one certificate, DER, into the whole inventory shape; the peer only takes the bytes apart. */
export async function measureParsing(): Promise<Line[]> {
  return [
    await compare('reading a public-style leaf', await publicStyleLeaves(40)),
    await compare('reading a root', rootCertificates.map((pem) => new X509Certificate(pem).raw)),
  ]
}
