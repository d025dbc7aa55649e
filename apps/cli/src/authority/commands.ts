import type { Command } from '../command.ts'
import { authorityAdd, authorityChange, authorityDelete, authorityRollKey } from './authority-change.ts'
import { authorityList, authorityShow, authorityTest, authorityTypes, authorityUse } from './authorities.ts'

export const authorityCommands: readonly Command[] = [authorityTypes, authorityList, authorityShow, authorityAdd, authorityChange, authorityTest, authorityUse, authorityRollKey, authorityDelete]
