import type { ServerTypeDriver } from '@certloop/plugin-kit'
import type { Static } from 'typebox'
import type { fields } from './manifest.ts'
export declare const driver: ServerTypeDriver<Static<typeof fields>>
