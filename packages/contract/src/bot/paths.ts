import type { TaskId } from '../ids.ts'

/**
 * The calls of a bot. All but the first two are signed (request-signature.ts) and answer JSON or a problem document.
 *
 * | call | body | answer |
 * | --- | --- | --- |
 * | GET trustAnchor | | TrustAnchor; compared with the pin before anything is sent |
 * | POST join | JoinRequest | JoinResponse; the token's secret is the proof |
 * | POST hello | HelloRequest | HelloResponse |
 * | POST lease | LeaseRequest | LeaseResponse |
 * | POST progress | ProgressRequest | ProgressResponse, or LEASE_LOST |
 * | POST stops | StopsRequest | StopsResponse |
 * | POST result | ResultRequest | 204, also when this very result was accepted before; or LEASE_LOST |
 */
export const botPaths = {
  trustAnchor: '/bot/v1/trust-anchor',
  join: '/bot/v1/join',
  hello: '/bot/v1/hello',
  lease: '/bot/v1/tasks/lease',
  progress: (id: TaskId) => `/bot/v1/tasks/${id}/progress`,
  stops: '/bot/v1/deployments/stops',
  result: (id: TaskId) => `/bot/v1/tasks/${id}/result`,
} as const
