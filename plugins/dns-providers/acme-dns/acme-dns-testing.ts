import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Account } from './accounts.ts'

export interface SimulatedAcmeDns { url: string; dnsServer: string; register(): Account; /** As DNS tells them. */ values(fulldomain: string): string[]; /** How many updates were taken. */ updates(): number }
const domain = 'auth.test'
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

interface Row { value: string; updatedAt: number }
interface Held { account: Account; rows: [Row, Row] }

/**
 * acme-dns as its source has it: the account is looked at first, then the value (43 letters); of its two rows the one that
 * was written longer ago is written, by a clock that counts. There is no Debian package of it.
 */
export async function startAcmeDns(t: Pick<TestContext, 'after'>): Promise<SimulatedAcmeDns> {
  const accounts = new Map<string, Held>()
  let count = 0
  const update = (user: string, key: string, body: string): { status: number; answer: object } => {
    const held = [...accounts.values()].find(({ account }) => account.username === user && account.password === key)
    const { subdomain, txt } = asObject(body)
    if (!uuidForm.test(user) || key.length !== 40 || held?.account.subdomain !== subdomain) return { status: 401, answer: { error: 'forbidden' } }
    if (!held || typeof txt !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(txt)) return { status: 400, answer: { error: 'bad_subdomain' } }
    const [first, second] = held.rows
    Object.assign(second.updatedAt < first.updatedAt ? second : first, { value: txt, updatedAt: ++count })
    return { status: 200, answer: { txt } }
  }
  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const told = (name: string) => String(request.headers[name] ?? '')
      const { status, answer } = request.method === 'POST' && request.url === '/update' ? update(told('x-api-user'), told('x-api-key'), Buffer.concat(chunks).toString()) : { status: 404, answer: {} }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })()
  }).listen(0, '127.0.0.1')
  const values = (fulldomain: string) => accounts.get(fulldomain)?.rows.map(({ value }) => value).filter((value) => value !== '') ?? []
  const udp = createSocket('udp4')
  udp.on('message', (question, from) => { udp.send(answerTo(question, values), from.port, from.address) })
  udp.bind(0, '127.0.0.1')
  await Promise.all([once(http, 'listening'), once(udp, 'listening')])
  t.after(() => { udp.close(); http.close(); http.closeAllConnections() })
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, dnsServer: `127.0.0.1:${udp.address().port}`, values, updates: () => count,
    register() {
      const subdomain = randomUUID()
      const account = { username: randomUUID(), password: randomBytes(30).toString('base64url'), fulldomain: `${subdomain}.${domain}`, subdomain }
      accounts.set(account.fulldomain, { account, rows: [{ value: '', updatedAt: 0 }, { value: '', updatedAt: 0 }] })
      return account
    },
  }
}

function asObject(body: string): { subdomain?: unknown; txt?: unknown } {
  try {
    return JSON.parse(body) as object
  } catch {
    return {}
  }
}

/** TXT records with a time to live of a second for the name that was asked for; nothing else is told. */
function answerTo(question: Buffer, values: (name: string) => string[]): Buffer {
  const labels: string[] = []
  let at = 12
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('ascii', at + 1, at + 1 + length))
    at += length + 1
  }
  const answers = values(labels.join('.').toLowerCase()).map((value) => {
    const record = Buffer.alloc(13)
    for (const [offset, number] of [[0, 0xc00c], [2, 16], [4, 1], [8, 1], [10, value.length + 1]] as const) record.writeUInt16BE(number, offset)
    record[12] = value.length
    return Buffer.concat([record, Buffer.from(value)])
  })
  const header = Buffer.from(question.subarray(0, 12))
  for (const [offset, number] of [[2, 0x8400], [4, 1], [6, answers.length], [8, 0], [10, 0]] as const) header.writeUInt16BE(number, offset)
  return Buffer.concat([header, question.subarray(12, at + 5), ...answers])
}
