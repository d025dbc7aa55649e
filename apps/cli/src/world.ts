/** All that a command touches outside itself, so that a test can stand in for terminal and clock. */
export interface World {
  env: Record<string, string | undefined>
  home: string
  now: () => Date
  /** IANA zone of the person. */
  zone: string
  /** Name of this machine and its user, for the name of a token: "ada on laptop". */
  whoHere: string
  pid: number
  /** Both streams take whole texts. */
  out(text: string): void
  err(text: string): void
  outIsTerminal: boolean
  /** Columns of the terminal; without one, tables with long texts keep to 100. */
  columns?: number | undefined
  errIsTerminal: boolean
  /** Somebody sits there and can be asked. */
  canAsk: boolean
  /** Asks on the terminal; `hidden` shows nothing of what is typed. @throws Failure when the answer is withheld */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
  /** All of standard input. */
  readInput(): Promise<string>
  /** Calls back at Ctrl-C. @returns how to stop listening */
  onInterrupt(then: () => void): () => void
}
