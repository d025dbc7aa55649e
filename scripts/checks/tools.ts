import { runTool, type Check } from './check.ts'

export const types: Check = { name: 'types (tsc)', run: () => runTool('typescript/bin/tsc', '-p', 'tsconfig.json') }
/** Also import direction, sizes and complexity: see .oxlintrc.json and lint-rules.mjs. */
export const lint: Check = { name: 'lint, sizes and import direction (oxlint)', run: () => runTool('oxlint/bin/oxlint', '--quiet', '-f', 'unix') }
export const unused: Check = { name: 'unused files, exports and dependencies (knip)', run: () => runTool('knip/bin/knip.js', '--no-progress', '--no-config-hints') }
