import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeploymentDetail } from '@certloop/api-client'
import type { World } from '../world.ts'
import { deploymentLines } from './deployments.ts'

test('a slow deployment says so and how to stop it; one that has ended offers nothing of that', () => {
  const context = { paint: (_: string, text: string) => text, world: { zone: 'Europe/Berlin' } as World }
  const deployment = {
    id: 'dep_1', state: 'deploying', slow: { since: '2026-11-22T00:33:28Z', usualSeconds: 0.3 }, cancelRequestedAt: '2026-11-22T00:43:28Z', undoes: 'dep_0', error: null, can: ['cancel'], plan: null, planSteps: [], differences: [], log: [], served: [], rollback: true,
  } as unknown as DeploymentDetail
  const open = deploymentLines(context, deployment).join('\n')
  assert.match(open, /State: +deploying, slow, being cancelled, undoes dep_0\nSlow: +since 01:33:28; its like usually take less than a second\. To stop it: certloop deployment cancel dep_1\n/)
  const ended = deploymentLines(context, { ...deployment, state: 'rolled-back', can: [], slow: { since: '2026-11-22T00:33:28Z', usualSeconds: 90 } }).join('\n')
  assert.match(ended, /State: +rolled-back, undoes dep_0\nSlow: +since 01:33:28; its like usually take 1 min 30 s\.\n/)
})
