import type { IssuerId } from '@certloop/contract'

/** Goes by when certificates or lists of an issuer changed. A hint: it can be lost. */
export const caTopic = (id: IssuerId): string => `ca:${id}`
