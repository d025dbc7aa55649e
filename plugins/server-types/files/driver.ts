import type { Static } from 'typebox'
import path from 'node:path'
import { filesDriver } from '../shared/files/driver.ts'
import { localPath } from '../shared/files/unc.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'

type Fields = Static<typeof fieldSchema>

export const driver = filesDriver<Fields>({
  locate: localPath,
  ownership: ({ owner, group, mode, keyMode, securityContext: context }, key) => ({ owner, group, mode: key ? keyMode : mode, context }),
  activation: ({ command, commandSeconds }) => (command?.[0] === undefined ? [] : [{
    kind: 'reload-service', service: `what reads the files (${path.posix.basename(command[0])})`, argv: [...command], script: true,
    timeoutSeconds: commandSeconds ?? manifest.fields.properties.commandSeconds.default,
  }]),
  defaultProofSeconds: manifest.fields.properties.proofSeconds.default,
})
