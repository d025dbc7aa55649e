import { code, generatedFrom, table } from './markdown.ts'

/** What this page reads of an entry of `settingsTable`. */
export interface SettingRow { flag: string | null; flagMeans?: string; env: string; default: string | number | boolean | null; defaultText?: string; unit: string | null; meaning: string; example: string }

function option({ flag, flagMeans, unit }: SettingRow): string {
  if (flag === null) return 'none'
  return code(flagMeans === undefined ? `--${flag} <${unit ?? 'value'}>` : `--${flag}`)
}
const defaultOf = ({ defaultText, default: value }: SettingRow): string => defaultText ?? (value === null ? 'none' : code(String(value)))

/** docs/reference/settings.md: every setting of the control plane. */
export function settingsPage(settings: Record<string, SettingRow>): string {
  const rows = Object.values(settings).map((row) => [option(row), code(row.env), defaultOf(row), row.unit ?? '', `${row.meaning}.`, row.example.includes(' ') ? row.example : code(row.example)])
  return [
    generatedFrom('apps/control-plane/src/settings.ts'), '', '# Settings of the control plane', '',
    `An option on the command line wins over the environment, and both over the default: ${code('npm start -- --port 8443')} or ${code('CERTLOOP_PORT=8443 npm start')}. Settings that hold a secret have no option, because every user of the machine can read the command lines of others.`, '',
    table(['Option', 'Environment', 'Default', 'Unit', 'Meaning', 'Example'], rows), '',
  ].join('\n')
}
