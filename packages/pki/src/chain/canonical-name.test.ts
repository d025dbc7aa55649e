import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readElement } from '../der/der-reader.ts'
import { readName } from '../name/distinguished-name.ts'
import { nameOf } from './chain-testing.ts'
import { canonical } from './canonical-name.ts'

const formOf = (value: string): string[] => canonical(readName(readElement(nameOf(['2.5.4.3', value]))))

test('names are the same whatever their case, spaces and way of composing letters; look-alikes are not', () => {
  assert.deepEqual(formOf('  Bücher \u00a0 GmbH'.normalize('NFD')), formOf('bücher gmbh'))
  for (const [one, other] of [['ﬁrst', 'first'], ['Ｒoot', 'Root'], ['CA①', 'CA1'], ['x²', 'x2']] as const) assert.notDeepEqual(formOf(one), formOf(other), one)
})
