/** Something in the demo came out otherwise than it has to. */
export class Disappointed extends Error {}

/** @param what what was expected and what came instead */
export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Disappointed(what)
}
