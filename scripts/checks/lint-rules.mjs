// Rules of our own for oxlint (.oxlintrc.json, "certloop/…").
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { problemOfImport } from './import-direction.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

const isNamed = (node, name) => node?.type === 'Identifier' && node.name === name

/** "Date.now" for Date.now(); undefined for anything else than a call of a plain name or of a member of one. */
function calledName({ callee }) {
  if (callee.type === 'Identifier') return callee.name
  if (callee.type !== 'MemberExpression' || callee.computed || callee.property.type !== 'Identifier') return undefined
  const { object, property } = callee
  if (object.type === 'Identifier') return `${object.name}.${property.name}`
  if (object.type === 'MemberExpression' && isNamed(object.object, 'Temporal') && isNamed(object.property, 'Now')) return 'Temporal.Now'
  return undefined
}

const ambientCalls = new Set(['Date.now', 'Date', 'Math.random', 'Temporal.Now'])
const message = 'Take time and chance as a parameter (now: () => Date); only main.ts, tests and scripts read them. Otherwise tests can not set them.'

const noAmbientTimeOrChance = {
  meta: { type: 'problem', docs: { description: 'Time and randomness are passed in.' } },
  create(context) {
    return {
      NewExpression(node) {
        if (isNamed(node.callee, 'Date') && node.arguments.length === 0) context.report({ node, message })
      },
      CallExpression(node) {
        if (ambientCalls.has(calledName(node))) context.report({ node, message })
      },
    }
  },
}

const importDirection = {
  meta: { type: 'problem', docs: { description: 'Imports flow one way: apps → plugins → packages.' } },
  create(context) {
    const from = relative(root, context.filename).split(sep).join('/')
    const look = (node) => {
      if (typeof node.source?.value !== 'string') return
      const problem = problemOfImport(from, node.source.value, node.importKind === 'type' || node.exportKind === 'type')
      if (problem) context.report({ node, message: `Import direction: ${problem}.` })
    }
    return { ImportDeclaration: look, ExportNamedDeclaration: look, ExportAllDeclaration: look, ImportExpression: look }
  },
}

export default {
  meta: { name: 'certloop' },
  rules: { 'no-ambient-time-or-chance': noAmbientTimeOrChance, 'import-direction': importDirection },
}
