// Who may import whom. Pure: paths in, a sentence out.
import { posix } from 'node:path'

const isTest = (path) => /(\.test|-testing)\.tsx?$/.test(path) || /^apps\/[^/]+\/test\//.test(path)
/** Not part of the product: tests of the whole, benchmarks and scripts may reach anywhere. */
const isOutsideProduct = (path) => /^(tests|benchmarks|scripts)\//.test(path)

const workspaceOf = (path) => /^(apps|packages|plugins)\/[^/]+/.exec(path)?.[0]
const ownPackages = {
  contract: 'packages/contract', pki: 'packages/pki', 'plugin-kit': 'packages/plugin-kit', 'api-client': 'packages/api-client', 'test-kit': 'packages/test-kit',
  'control-plane': 'apps/control-plane', bot: 'apps/bot', web: 'apps/web', cli: 'apps/cli',
}

/** Path below the root that a specifier leads to; undefined for packages that are not ours. */
function targetOf(from, specifier) {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier))
  const [, name, rest = ''] = /^@certloop\/([^/]+)(\/.*)?$/.exec(specifier) ?? []
  return name === undefined ? undefined : `${ownPackages[name] ?? `plugins/${name}`}${rest}`
}

/** What each app may import of ours, beside itself. */
const appMayUse = {
  'apps/control-plane': [/^packages\/(contract|pki|plugin-kit)\b/, /^plugins\//],
  'apps/bot': [/^packages\/(contract|pki|plugin-kit)\b/, /^plugins\//],
  'apps/web': [/^packages\/(contract|api-client)\b/],
  'apps/cli': [/^packages\/(contract|api-client)\b/],
}

/** In this order; the first that applies is told. */
const rulesBetweenWorkspaces = [
  ({ home, there }) => home.startsWith('packages/') && !there.startsWith('packages/') && `packages import neither apps nor plugins (${there})`,
  ({ home, there }) => home === 'packages/contract' && `contract is the ground: it imports nothing of ours (${there})`,
  ({ home, there }) => home.startsWith('plugins/') && there.startsWith('apps/') && `plugins never import apps (${there})`,
  ({ home, there }) => home.startsWith('apps/') && there.startsWith('apps/') && `apps never import each other (${there})`,
  ({ home, target }) => home === 'apps/control-plane' && /(^|\/)driver(\.ts)?$/.test(target) && 'the control plane reads manifests; only bots load drivers',
  ({ from, home, target, there }) => {
    const allowed = isTest(from) ? undefined : appMayUse[home]
    return allowed && !allowed.some((pattern) => pattern.test(target)) && `${home} may not import ${there}`
  },
]

function problemBetweenWorkspaces(step) {
  if (step.there === 'packages/test-kit') return isTest(step.from) ? undefined : 'test-kit is for tests only'
  for (const rule of rulesBetweenWorkspaces) {
    const problem = rule(step)
    if (problem) return problem
  }
  return undefined
}

/** Domain folders of the control plane meet in rows, not in calls. */
function problemWithinControlPlane(from, target, isTypeOnly) {
  if (isTest(from) || isTypeOnly) return undefined
  for (const kind of ['routes', 'worker']) {
    const files = new RegExp(`^apps/control-plane/src/[^/]+/[^/]*-${kind}\\.ts$`)
    // The task folder holds the loop that drives all workers.
    const isInfrastructure = target.startsWith('apps/control-plane/src/task/')
    if (files.test(from) && files.test(target) && !isInfrastructure) return `${kind === 'worker' ? 'workers' : 'routes'} never import each other: they meet in the database (${target})`
  }
  return undefined
}

/**
 * @param from path of the importing file below the root, with "/"
 * @param specifier as written in the import
 * @param isTypeOnly import type
 * @returns what is wrong with it, or undefined
 */
export function problemOfImport(from, specifier, isTypeOnly) {
  const target = targetOf(from, specifier)
  if (target === undefined || isOutsideProduct(from)) return undefined
  const home = workspaceOf(from)
  const there = workspaceOf(target)
  if (home === undefined) return undefined
  if (there === undefined) return isTest(from) ? undefined : `the product imports nothing from ${target.split('/')[0]}/`
  if (home === there) return problemWithinControlPlane(from, target, isTypeOnly)
  if (specifier.startsWith('.')) return `import another workspace by its name (@certloop/…), not by a path`
  return problemBetweenWorkspaces({ from, home, target, there })
}
