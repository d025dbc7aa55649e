import type { Endpoint } from '@certloop/contract'
import { probeAll } from '@certloop/plugin-kit'
import type { StepContext } from './executor.ts'

/**
 * Nothing answers on any of the endpoints where something answered when the plan was made, and nothing listens there:
 * a mail server whose certificate can't be read goes on without TLS, and has to be told to read it again.
 */
export async function isDown({ host, plan, probe }: StepContext): Promise<boolean> {
  const answered = plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints : [])).filter((e) => e.before !== null)
  if (answered.length === 0) return false
  const seen = await probeAll(probe, answered.map(({ endpoint }) => endpoint))
  if (seen.some((s) => s.fingerprint !== null)) return false
  const listeners = await host.listeners()
  const listens = ({ address, port }: Endpoint) => listeners.some((socket) => socket.port === port && [address, '0.0.0.0', '::'].includes(socket.address))
  return !answered.some(({ endpoint }) => listens(endpoint))
}
