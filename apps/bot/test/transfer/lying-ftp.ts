import { type TestPair } from '@certloop/test-kit'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { TestContext } from 'node:test'

export interface LyingFtp { port: number; /** What came over data connections. */ received: Buffer[]; commands: string[] }

/**
 * An FTP server over implicit TLS that is not what it says: its data connections may show another certificate, and
 * `answer` sends what goes over the data connection of a command. `says`: its other answers, by the word of the command.
 */
export async function startLyingFtp(t: TestContext, control: TestPair, data: TestPair, answer: (command: string, over: TLSSocket) => void, says: Record<string, string> = {}): Promise<LyingFtp> {
  const [received, commands]: [Buffer[], string[]] = [[], []]
  const listen = async (pair: TestPair, greet: (socket: TLSSocket) => void): Promise<Server> => {
    const server = createServer({ key: pair.keyPem, cert: pair.certPem }, (socket) => { greet(socket.on('error', () => undefined)) })
    const open = new Set<{ destroy(): void }>()
    server.on('connection', (socket) => { open.add(socket.on('error', () => undefined)) }).on('tlsClientError', () => undefined).listen(0, '127.0.0.1')
    t.after(() => { for (const socket of open) socket.destroy(); server.close() })
    await once(server, 'listening')
    return server
  }
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const usual: Record<string, string> = { USER: '331 password', PASS: '230 in', CWD: '250 there', TYPE: '200 fine', PBSZ: '200 fine', PROT: '200 fine', SITE: '200 fine', RNFR: '350 on', RNTO: '550 it renames nothing', DELE: '250 gone' }
  const server = await listen(control, (socket) => {
    socket.write('220 hello\r\n')
    let transfer: Promise<TLSSocket> | undefined
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\r\n').filter(Boolean)) {
        commands.push(line)
        const [word = ''] = line.split(' ')
        if (word === 'EPSV') {
          const waiting = Promise.withResolvers<TLSSocket>()
          transfer = waiting.promise
          void listen(data, (over) => { over.on('data', (bytes: Buffer) => { received.push(bytes) }); waiting.resolve(over) }).then((place) => socket.write(`229 ok (|||${portOf(place)}|)\r\n`))
        } else if (/^(?:STOR|RETR|LIST|APPE)$/.test(word)) {
          socket.write('150 go\r\n')
          void transfer?.then((over) => { over.once('close', () => socket.write('226 done\r\n')); answer(line, over) })
        } else socket.write(`${says[word] ?? usual[word] ?? '502 no'}\r\n`)
      }
    })
  })
  return { port: portOf(server), received, commands }
}
