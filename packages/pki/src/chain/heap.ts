/** A binary heap: the first by `order` comes out first, of equal ones the one put in earlier. */
export class Heap<T> {
  readonly #order: (a: T, b: T) => number
  readonly #items: { item: T; number: number }[] = []
  #number = 0
  constructor(order: (a: T, b: T) => number) { this.#order = order }
  get size(): number { return this.#items.length }

  push(item: T): void {
    this.#items.push({ item, number: this.#number++ })
    for (let at = this.#items.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfBefore(at, parent)) break
      at = parent
    }
  }

  pop(): T | undefined {
    const first = this.#items[0]
    const last = this.#items.pop()
    if (!first || !last || first === last) return first?.item
    this.#items[0] = last
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = right < this.#items.length && this.#isBefore(right, left) ? right : left
      if (child >= this.#items.length || !this.#swapIfBefore(child, at)) return first.item
      at = child
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, two] = [this.#items[a], this.#items[b]]
    return one !== undefined && two !== undefined && (this.#order(one.item, two.item) || one.number - two.number) < 0
  }

  #swapIfBefore(a: number, b: number): boolean {
    const [one, two] = [this.#items[a], this.#items[b]]
    if (!one || !two || !this.#isBefore(a, b)) return false
    this.#items[a] = two
    this.#items[b] = one
    return true
  }
}
