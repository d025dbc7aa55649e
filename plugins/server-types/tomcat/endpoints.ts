import type { Endpoint } from '@certloop/contract'
import { plainAddress, proofAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import type { ConfiguredCertificate, ServerConfiguration, TlsConnector } from './connectors.ts'

const socketOf = ({ address, port }: { address: string | undefined; port: number }): Socket | undefined => {
  const plain = plainAddress(address ?? '*')
  return plain === undefined ? undefined : { address: plain, port }
}

/** Where to connect from the host to reach this connector and no other; undefined when it listens on a host name. */
export function addressOf(connector: { address: string | undefined; port: number }, { connectors }: ServerConfiguration): string | undefined {
  const socket = socketOf(connector)
  const taken = new Set(connectors.flatMap((one) => { const other = socketOf(one); return other === undefined ? [] : [socketKey(other)] }))
  return socket === undefined ? undefined : proofAddress(socket, taken)
}

const labels = ['certloop-proof', 'certloop-proof-2', 'certloop-proof-3']

/** The names to send so that Tomcat takes this host: its name, for a wildcard one that no other host has; none for the default. */
function serverNames(hostName: string, { defaultHost, hostNames }: TlsConnector): (string | null)[] {
  const own = hostName.startsWith('*.') ? labels.map((label) => `${label}${hostName.slice(1)}`).filter((name) => !hostNames.includes(name)).slice(0, 1) : hostName === '_default_' ? [] : [hostName]
  return hostName === defaultHost ? [...own, null] : own
}

/** The handshakes that show this certificate. */
export function endpointsOf({ connector, hostName, type, of }: ConfiguredCertificate, configuration: ServerConfiguration): Endpoint[] {
  const address = addressOf(connector, configuration)
  if (address === undefined) return []
  const keyType = of === 1 ? null : type === 'RSA' ? 'rsa' : type === 'EC' ? 'ec' : null
  return serverNames(hostName, connector).map((serverName) => ({ address, port: connector.port, serverName, keyType }))
}
