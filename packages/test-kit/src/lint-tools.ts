import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { madeOnce } from './made-once.ts'

const run = promisify(execFile)

/**
 * Linters of certificates that others wrote. They come from package registries, into a folder of ours below the
 * system's temporary folder that later runs find again. Where they can't be had, a test is left out, also in CI: it
 * must not fail because a registry is away.
 */
export const lintVersions = { zlint: '3.6.1', pkilint: '0.13.3' } as const
type LinterName = keyof typeof lintVersions

/** Something a linter said of one document. severity: its own word, lower case ("error", "warning", "notice", "info"). */
export interface LintFinding { lint: string; severity: string; detail: string }
/** run: how many lints looked at it, where the linter tells. */
export interface LintReport { run: number; findings: LintFinding[] }
export interface LeftOut { leftOut: string }

const installMs = 420_000
const lintMs = 300_000
const bytes = 64 << 20

const lastLines = (error: unknown): string => {
  const { stderr, message } = error as { stderr?: string; message: string }
  return (stderr?.trim() ? stderr : message).trim().split('\n').slice(-2).join(' ').slice(0, 300)
}

/** The folder with the linter, installed if need be; or why there is none. */
async function installed(name: LinterName, install: (folder: string, version: string) => Promise<void>): Promise<{ folder: string } | LeftOut> {
  const version = lintVersions[name]
  try {
    return { folder: await madeOnce(`${name}-${version}`, (making) => install(making, version)) }
  } catch (error) {
    return { leftOut: `${name} ${version} can not be had from its package registry here; this is left out, also in CI, rather than fail because a registry is away: ${lastLines(error)}` }
  }
}

/** zlint of ZMap, built by go through its module proxy. */
export async function zlint(): Promise<{ lint(files: readonly string[], withoutSources?: readonly string[]): Promise<LintReport[]> } | LeftOut> {
  const found = await installed('zlint', async (folder, version) => {
    // Caches in the folder itself, so that nothing stays elsewhere; and writable, so that they can be removed.
    const env = { ...process.env, GOBIN: folder, GOPATH: join(folder, 'path'), GOMODCACHE: join(folder, 'path', 'mod'), GOCACHE: join(folder, 'cache'), GOFLAGS: '-modcacherw -buildvcs=false', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
    await run('go', ['install', `github.com/zmap/zlint/v3/cmd/zlint@v${version}`], { env, timeout: installMs, maxBuffer: bytes })
    for (const cache of ['path', 'cache']) await rm(join(folder, cache), { recursive: true, force: true })
  })
  if ('leftOut' in found) return found
  return {
    /** @param files PEM: certificates and lists. @param withoutSources "CABF_BR", "RFC5280", …: whose lints are left out */
    async lint(files, withoutSources = []) {
      const { stdout } = await run(join(found.folder, 'zlint'), [...(withoutSources.length > 0 ? ['-excludeSources', withoutSources.join(',')] : []), ...files], { timeout: lintMs, maxBuffer: bytes })
      const reports = stdout.trim().split('\n').map((line) => zlintReport(JSON.parse(line) as Record<string, { result: string; details?: string }>))
      if (reports.length !== files.length) throw new Error(`zlint gave ${reports.length} reports for ${files.length} files`)
      return reports
    },
  }
}

/** NA: not about this kind of document; NE: not yet or no longer in force. */
function zlintReport(results: Record<string, { result: string; details?: string }>): LintReport {
  const looked = Object.entries(results).filter(([, { result }]) => result !== 'NA' && result !== 'NE')
  return { run: looked.length, findings: looked.filter(([, { result }]) => result !== 'pass').map(([lint, { result, details = '' }]) => ({ lint, severity: result, detail: details })) }
}

/** linter: "lint_crl", …; args: its options and files. */
export interface PkilintJob { linter: string; options: readonly string[]; files: readonly string[] }

/** One process for all jobs: starting Python and loading the rules takes longer than linting. */
const pkilintDriver = `
import contextlib, importlib, io, json, sys
def call(module, args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        module.main(args)
    return out.getvalue()
counts = {}
reports = []
for linter, options, files in json.load(sys.stdin):
    module = importlib.import_module('pkilint.bin.' + linter)
    kind = linter + ' '.join(options)
    if kind not in counts:
        counts[kind] = len(call(module, ['validations'] + options).splitlines()) - 1
    found = json.loads(call(module, ['lint'] + options + ['-s', 'INFO', '-f', 'JSON'] + files))
    reports.append({'run': counts[kind], 'results': found['results']})
json.dump(reports, sys.stdout)
`
interface PkilintResult { node_path: string; finding_descriptions: { severity: string; code: string; message: string | null }[] }

/** pkilint of DigiCert, from PyPI, in a virtual environment. */
export async function pkilint(): Promise<{ lint(jobs: readonly PkilintJob[]): Promise<LintReport[]> } | LeftOut> {
  const found = await installed('pkilint', async (folder, version) => {
    await run('python3', ['-m', 'venv', folder], { timeout: installMs })
    await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1', `pkilint==${version}`], { timeout: installMs, maxBuffer: bytes })
  })
  if ('leftOut' in found) return found
  return {
    async lint(jobs) {
      const running = run(join(found.folder, 'bin', 'python'), ['-c', pkilintDriver], { timeout: lintMs, maxBuffer: bytes, env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } })
      running.child.stdin?.end(JSON.stringify(jobs.map(({ linter, options, files }) => [linter, options, files])))
      const { stdout } = await running
      return (JSON.parse(stdout) as { run: number; results: PkilintResult[] }[]).map((report) => ({
        run: report.run,
        findings: report.results.flatMap(({ node_path: where, finding_descriptions: all }) => all.map(({ severity, code, message }) => ({ lint: code, severity: severity.toLowerCase(), detail: [where, message].filter(Boolean).join(': ') }))),
      }))
    },
  }
}
