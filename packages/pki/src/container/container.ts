/** Containers of certificates and keys, all formats behind three functions: see docs of each. */
export { recognise, type ContainerFormat } from './container-recognise.ts'
export { readContainer, type ReadContainerOptions } from './container-read.ts'
export { writeContainer, type BundlePart, type ContainerForm, type ContainerMaterial, type WrittenPart } from './container-write.ts'
export type { ContainerContents, FoundKey, LockedPart, PartProblem } from './container-contents.ts'
