const privateKeys = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----\r?\n?|$)/g

/** What was pasted or chosen, without private keys: many tools put both into one file, and a key is nobody else's business. */
export const requestAlone = (text: string): string => (text.includes('PRIVATE KEY-----') ? text.replace(privateKeys, '').trimStart() : text)
