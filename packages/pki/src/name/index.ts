export { checkNames } from './names.ts'
export { nameOfCommonName } from './distinguished-name.ts'
export type { GeneralName } from './general-names.ts'
