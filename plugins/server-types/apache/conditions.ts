/** What the conditions of a configuration may ask for, so far. */
export interface Conditions { defines: Map<string, string>; modules: Set<string>; version: string }

/** Source files that are not named like their module's file. */
const sources: Record<string, string> = { mod_mpm_event: 'event.c', mod_mpm_worker: 'worker.c', mod_mpm_prefork: 'prefork.c', mod_log_config: 'mod_log_config.c' }

/** The name of a loaded module that <IfModule mod_x.c> asks for. @param file as in LoadModule */
export function moduleFile(identifier: string, file: string): string {
  if (/^php\d*_module$/.test(identifier)) return `mod_${identifier.replace(/_module$/, '')}.c`
  const stem = file.slice(file.lastIndexOf('/') + 1).replace(/\.so$/, '')
  return sources[stem] ?? `${stem}.c`
}

/** Whether the content of a conditional section counts. @param exists whether there is such a file */
export async function conditionHolds(section: string, args: string, { defines, modules, version }: Conditions, exists: (file: string) => Promise<boolean>): Promise<boolean> {
  const not = args.startsWith('!')
  const subject = not ? args.slice(1).trim() : args
  switch (section) {
    case 'ifdefine': return defines.has(subject) !== not
    case 'ifmodule': return modules.has(subject) !== not
    case 'iffile': return await exists(subject) !== not
    case 'ifversion': return versionHolds(subject, version) !== not
    // Directives of modules that can't be known from outside: what they hold is compared with httpd's own list.
    default: return !not
  }
}

/** "2.4.10", ">= 2.4", "~ ^2\\.4", "/^2\\.4/": as mod_version. */
function versionHolds(text: string, version: string): boolean {
  const [, not, operator = '=', wanted = ''] = /^(!?)([<>]=?|==?|~)?\s*(.*)$/.exec(text) ?? []
  if (not === '!') return !versionHolds(text.slice(1), version)
  const pattern = operator === '~' ? wanted : /^\/(.*)\/$/.exec(wanted)?.[1]
  if (pattern !== undefined) return matches(pattern, version)
  const difference = compareVersions(version, wanted)
  if (difference === 0) return operator !== '<' && operator !== '>'
  return difference < 0 ? operator.startsWith('<') : operator.startsWith('>')
}

function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number)) as [number[], number[]]
  return [0, 1, 2].map((i) => (a[i] ?? 0) - (b[i] ?? 0)).find((step) => step !== 0) ?? 0
}

function matches(pattern: string, version: string): boolean {
  try {
    return new RegExp(pattern.slice(0, 100)).test(version)
  } catch {
    return false // no pattern for us; httpd's own list shows what is missing then
  }
}
