import type { FieldNotes } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifest } from './manifest.ts'

test('the password of the manager is bound to what decides where it is sent, those of keystores are sent nowhere', () => {
  const properties = manifest.fields.properties as unknown as Record<string, { 'x-field'?: FieldNotes }>
  const sentTo = Object.entries(properties).flatMap(([name, { 'x-field': notes }]) => (notes?.kind === 'secret' ? [[name, notes.sentTo]] : []))
  assert.deepEqual(sentTo, [['keystorePassword', undefined], ['keyPassword', undefined], ['managerPassword', ['managerUrl', 'managerUser', 'basePath']]])
})
