import type { ProxyEnv } from 'node:http'
import { isLoopback } from './address.ts'

/**
 * Where Node's own agent looks for a proxy.
 * @param setting of bot.toml: an address, null for none, undefined for what the environment says.
 * @returns undefined: connect directly, as always to this very host.
 */
export function proxyEnvironment(url: URL, setting: string | null | undefined, environment: NodeJS.ProcessEnv): ProxyEnv | undefined {
  if (setting === null || isLoopback(url)) return undefined
  if (setting !== undefined) return { HTTPS_PROXY: setting, HTTP_PROXY: setting }
  const proxy = environment['HTTPS_PROXY'] ?? environment['https_proxy']
  if (!proxy) return undefined
  return { HTTPS_PROXY: proxy, NO_PROXY: environment['NO_PROXY'] ?? environment['no_proxy'] }
}

/** Address without the user name and password that may stand in it. */
export function proxyForLog(proxy: ProxyEnv | undefined): string {
  if (!proxy?.HTTPS_PROXY) return 'none'
  return URL.canParse(proxy.HTTPS_PROXY) ? new URL(proxy.HTTPS_PROXY).host : 'unreadable'
}
