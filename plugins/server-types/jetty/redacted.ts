const patterns: [RegExp, string][] = [
  // Properties of ini files and of the command line.
  [/^([^#\n=]*password[^\n=]*=).*$/gim, '$1***'],
  // XML: default="…" of a property, and the text of a setting.
  [/("[^"\n]*password[^"\n]*"[^>]*?\sdefault=")[^"]*"/gi, '$1***"'],
  [/("[^"\n]*password[^"\n]*"[^>/]*>)[^<]+/gi, '$1***'],
  [/\b(OBF|MD5|CRYPT):\w+/g, '$1:***'],
]

/** The text of a configuration file without the passwords in it: what is kept of it can be read by people. */
export const redacted = (text: string): string => patterns.reduce((result, [pattern, replacement]) => result.replaceAll(pattern, replacement), text)
