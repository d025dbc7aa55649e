import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JavaProcess } from '../shared/java/process.ts'
import { parseJavaProperties } from '../shared/java/properties-file.ts'

/** What `${…}` in server.xml stands for. */
export interface PropertyValues {
  /** undefined: not known. */
  find(name: string): string | undefined
  /** Sources of values that can't be asked (classes of somebody's own): what is not known may come from them. */
  unknownSources: string[]
}

const limitBytes = 1 << 20
const sourcesName = 'org.apache.tomcat.util.digester.PROPERTY_SOURCE'
const digester = 'org.apache.tomcat.util.digester.'

/**
 * System properties as Bootstrap leaves them: those of the command line, over them catalina.properties (each of its
 * entries is set as a system property); before them the property sources that are named there.
 */
export async function propertyValues(host: Host, java: JavaProcess, { base, home, userHome }: { base: string; home: string; userHome: string | undefined }): Promise<PropertyValues> {
  const system = new Map<string, string>([
    ...(userHome === undefined ? [] : [['user.home', userHome] as const]), ['user.name', java.process.user], ['file.separator', '/'], ['path.separator', ':'],
    ...(java.javaHome === null ? [] : [['java.home', java.javaHome] as const]), ...java.properties,
    ...parseJavaProperties(await catalinaProperties(host, java, base)), ['catalina.base', base], ['catalina.home', home],
  ])
  const sources = (system.get(sourcesName) ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '')
  const environment = sources.includes(`${digester}EnvironmentPropertySource`) ? java.environment ?? new Map<string, string>() : new Map<string, string>()
  const known = [`${digester}SystemPropertySource`, ...(java.environment === undefined ? [] : [`${digester}EnvironmentPropertySource`])]
  return { find: (name) => environment.get(name) ?? system.get(name), unknownSources: sources.filter((name) => !known.includes(name)) }
}

/** -Dcatalina.config names another file; addresses other than files can't be read. */
async function catalinaProperties(host: Host, { properties }: JavaProcess, base: string): Promise<string> {
  const named = properties.get('catalina.config')
  const file = named === undefined ? path.posix.join(base, 'conf/catalina.properties') : named.startsWith('file:') && URL.canParse(named) ? fileURLToPath(named) : path.posix.resolve(base, named)
  const content = await host.readFile(file, limitBytes).catch(() => undefined)
  return Buffer.from(content ?? []).toString('latin1')
}

/** A text with its `${…}` replaced. `unknown`: one of them may be given by a source that can't be asked. */
export interface Expanded { text: string; unknown: string | undefined }

const reference = /\$\{([^}]*)\}/g
const rounds = 20

/** As IntrospectionUtils.replaceProperties: `${name}`, `${name:-default}`, what they give looked at again; what is not known stays as written. */
export function expand(text: string, { find, unknownSources }: PropertyValues): Expanded {
  let unknown: string | undefined
  let result = text
  for (let round = 0; round < rounds; round++) {
    const next = result.replaceAll(reference, (written, inner: string) => {
      const at = inner.indexOf(':-')
      const [name, fallback] = at < 0 ? [inner, undefined] : [inner.slice(0, at), inner.slice(at + 2)]
      const value = find(name)
      if (value === undefined && unknownSources.length > 0) unknown = `\${${name}}, which ${unknownSources.join(' or ')} may give`
      return value ?? fallback ?? written
    })
    if (next === result) break
    result = next
  }
  return { text: result, unknown }
}
