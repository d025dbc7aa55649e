import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import type { Action, TimelineEvent } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import type { AcmeStage } from './acme-stage.ts'
import type { Plane } from './plane.ts'

/** What nginx serves, checked against the root of the directory. */
export async function trusted(port: number, name: string, directory: { root(): Promise<string> }): Promise<X509Certificate> {
  const ca = await directory.root()
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: name, ca }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw))
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

export async function eventsOf(plane: Plane, { orderIds: [id] }: Pick<Action, 'orderIds'>): Promise<TimelineEvent[]> {
  assert.ok(id)
  return (await plane.client.call('getOrder', { params: { id } })).timeline
}
export const timelineOf = async (plane: Plane, action: Action): Promise<string> => (await eventsOf(plane, action)).map(({ kind, message }) => `${kind}: ${message}`).join('\n')

export async function nothingLeft(stage: AcmeStage): Promise<void> {
  await eventually(async () => (await stage.tokenFiles()).length === 0, { what: 'no token file' })
  await eventually(async () => (await stage.textRecords()).length === 0, { what: 'no validation record' })
  await eventually(async () => (await stage.plane.client.call('listValidations', { query: {} })).items.every(({ cleanup }) => cleanup === 'removed' || cleanup === 'nothing'), { what: 'nothing noted as placed' })
}

export async function succeeded({ plane }: Pick<AcmeStage, 'plane'>, action: Action): Promise<void> {
  assert.equal(action.state, 'done', `${JSON.stringify(action.error)}\n${await timelineOf(plane, action)}`)
}
