export * from './client.ts'
export * from './problem.ts'
export * from './watch.ts'
/** The words, states, resources and operations of the API, so that its users need this package alone. */
export * from '@certloop/contract/api'
