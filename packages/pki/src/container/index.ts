export * from './keystore.ts'
export { findEntry, putEntry, removeEntry } from './keystore-entries.ts'
export { readJks, type KeyPasswords, type ReadJksOptions } from './jks.ts'
export { writeJceks, writeJks, type WriteJksOptions } from './jks-writer.ts'
