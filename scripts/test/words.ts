export const say = (text: string): void => { process.stderr.write(`certloop: ${text}\n`) }
