import type { Duplex } from 'node:stream'

/** What is said in the clear before TLS begins. All calls reject when the peer hangs up or says too much. */
export interface Conversation {
  /** Address of this end. */
  readonly ownAddress: string
  /** The next line, without its end. */
  line(): Promise<string>
  bytes(count: number): Promise<Buffer>
  send(data: string | Uint8Array): void
  /**
   * Ends the clear part. What the peer has said beyond its answer is refused: taken for a part of the protected talk,
   * it would be an injection (CVE-2021-38371 and its relatives, https://nostarttls.secvuln.info).
   */
  end(): void
}

/** Real greetings and lists of capabilities stay below 2 KiB. */
const limitBytes = 16 * 1024

/** Speaks over a stream that may still be connecting. Nothing is listened to any more after `end`; the caller destroys the socket. */
export function conversation(socket: Duplex & { localAddress?: string }): Conversation {
  let heard = Buffer.alloc(0)
  let failure: Error | undefined
  let wake: () => void = () => undefined

  const fail = (error: Error) => { failure ??= error; wake() }
  const hear = (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk])
    if (heard.length > limitBytes) fail(new Error(`The server said more than ${limitBytes} bytes before TLS began.`))
    wake()
  }
  const hangUp = () => { fail(new Error('The server hung up before TLS began.')) }
  socket.on('data', hear).on('error', fail).on('end', hangUp).on('close', hangUp)

  /** Waits until `find` names a length, and takes so much. */
  async function take(find: () => number): Promise<Buffer> {
    for (;;) {
      if (heard.length > limitBytes && failure) throw failure
      const length = find()
      if (length > 0 && length <= heard.length) {
        const taken = heard.subarray(0, length)
        heard = heard.subarray(length)
        return taken
      }
      if (failure) throw failure
      await new Promise<void>((resolve) => { wake = resolve })
    }
  }

  return {
    get ownAddress() { return socket.localAddress ?? '127.0.0.1' },
    line: async () => (await take(() => heard.indexOf('\n') + 1)).toString('latin1').trimEnd(),
    bytes: (count) => take(() => count),
    send(data) { socket.write(data) },
    end() {
      if (failure) throw failure
      if (heard.length > 0) throw new Error('The server said more in the clear after it had agreed to begin TLS. Such words can be slipped in on the way, so TLS was not begun.')
      socket.pause()
      socket.off('data', hear).off('error', fail).off('end', hangUp).off('close', hangUp)
    },
  }
}
