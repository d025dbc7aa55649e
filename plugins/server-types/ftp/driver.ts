import type { Static } from 'typebox'
import { filesDriver } from '../shared/files/driver.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

export const driver = filesDriver<Static<typeof fieldSchema>>({ defaultProofSeconds: manifest.fields.properties.proofSeconds.default })
