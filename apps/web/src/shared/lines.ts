/** What a person wrote into a box for a list: a line each; commas divide too. */
export function linesOf(text: string): string[] {
  return text.split(/[\n,]/).map((line) => line.trim()).filter((line) => line !== '')
}
