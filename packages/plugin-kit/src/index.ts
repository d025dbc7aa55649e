export * from './host.ts'
export * from './driver.ts'
export * from './registry.ts'
export * from './material.ts'
