/** Where the settings of one vsftpd come from, in the order in which they count: the later one wins. */
export type Source = { file: string } | { setting: string }

const defaultFile = '/etc/vsftpd.conf'

/** What the command line names: files, and settings as -oname=value; without a file, the default one comes last (vsftpd(8)). */
export function sourcesOf(argv: readonly string[]): Source[] {
  const sources = argv.slice(1).flatMap((word): Source[] => {
    if (word.startsWith('-o')) return [{ setting: word.slice(2) }]
    return word === '' || word.startsWith('-') ? [] : [{ file: word }]
  })
  return sources.some((source) => 'file' in source) ? sources : [...sources, { file: defaultFile }]
}

/** Lines of a configuration file: leading blanks are allowed, anything else around name or value is not (vsftpd.conf(5)). */
export const settingLines = (text: string): string[] => text.split('\n').map((line) => line.replace(/^[ \t]+/, '')).filter((line) => line !== '' && !line.startsWith('#'))

/** name → value; an empty value takes the setting back. */
export function settingsOf(lines: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>()
  for (const line of lines) {
    const at = line.indexOf('=')
    if (at > 0) settings.set(line.slice(0, at), line.slice(at + 1))
  }
  return settings
}

export const isOn = (settings: ReadonlyMap<string, string>, name: string): boolean => /^(yes|true|1)$/i.test(settings.get(name) ?? '')

/** A path or address; undefined where it is not set. */
export const valueOf = (settings: ReadonlyMap<string, string>, name: string): string | undefined => (settings.get(name) === '' ? undefined : settings.get(name))
