import { createSecureContext } from 'node:tls'
import { alpnCertificate, serverNameFor } from './alpn-certificate.ts'
import { openAlpnListener, type AlpnListener, type HolderOf } from './alpn-listener.ts'
import type { Proof } from './proof-list.ts'

export type AlpnProof = Extract<Proof, { kind: 'tls-alpn' }>

/** Answers TLS-ALPN validations. Calls come one at a time. */
export interface AlpnResponder {
  isOpen(id: string): boolean
  /** Answers when it returns. @throws CertloopError INPUT_INVALID, TOKEN_PORT_TAKEN, PRIVILEGE_REFUSED */
  open(id: string, proof: AlpnProof): Promise<void>
  /** The port is free again when nothing else is to be proven there. */
  close(id: string): Promise<void>
  closeAll(): Promise<void>
}

export function createAlpnResponder({ now, holderOf }: { now: () => Date; holderOf: HolderOf }): AlpnResponder {
  const listeners = new Map<string, AlpnListener>()
  const places = new Map<string, string>()

  async function close(id: string): Promise<void> {
    const place = places.get(id)
    const listener = listeners.get(place ?? '')
    if (place === undefined || !listener) return
    places.delete(id)
    listener.remove(id)
    if (!listener.isIdle()) return
    listeners.delete(place)
    await listener.close()
  }

  return {
    isOpen: (id) => places.has(id),
    close,
    async open(id, proof) {
      const serverName = serverNameFor(proof)
      const context = createSecureContext(await alpnCertificate(proof, now()))
      const listener = listeners.get(proof.listenOn) ?? await openAlpnListener(proof.listenOn, holderOf)
      listeners.set(proof.listenOn, listener)
      places.set(id, proof.listenOn)
      listener.add(serverName, id, context)
    },
    async closeAll() {
      for (const id of places.keys()) await close(id)
    },
  }
}
