import type { Endpoint, ProveStep, ServedCertificate } from '@certloop/contract'

/**
 * The step that proves a certificate on these endpoints.
 * @param served what each of them shows now, in the same order: an undo has to bring that back
 */
export function proveStep(step: Pick<ProveStep, 'expect' | 'timeoutSeconds'> & { steadyMilliseconds?: number | undefined }, endpoints: readonly Endpoint[], served: readonly ServedCertificate[]): ProveStep {
  const { expect, timeoutSeconds, steadyMilliseconds } = step
  return {
    kind: 'prove', expect, timeoutSeconds, ...(steadyMilliseconds === undefined ? {} : { steadyMilliseconds }),
    endpoints: endpoints.map((endpoint, i) => ({ endpoint, before: served[i]?.fingerprint ?? null })),
  }
}
