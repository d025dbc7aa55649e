/** A program and its arguments, a line each, just as they stand there; empty lines are left out. */
export const argumentLines = (text: string): string[] => text.split('\n').map((line) => line.replace(/\r$/, '')).filter((line) => line !== '')
