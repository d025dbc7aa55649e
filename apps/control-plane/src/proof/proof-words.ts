const placesOf = (count: number): string => `${count} ${count === 1 ? 'place' : 'places'}`

/** At how many places something is, and at how many of them a handshake has shown it. Where a target names no port, none could. */
export interface Proven { places: number; proven: number }

/** What is known of places that hold the right certificate, and no more than that. "Deployed at 4 places; proven to be served at 2 …" */
export function provenWords(verb: 'Deployed' | 'Installed', { places, proven }: Proven): string {
  if (proven === 0) return `${verb} at ${placesOf(places)}; nothing proves that it is served, as no port is named.`
  return `${verb} at ${placesOf(places)} and proven to be served at ${proven} of them; the others name no port, so nothing proves it there.`
}

/** Of what was put back. */
export const againWords = (isProven: boolean): string => (isProven ? 'is served again' : 'is in place again; that it is served is not proven, as no port is named')
