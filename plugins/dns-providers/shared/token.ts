import type { DnsProviderContext } from '@certloop/plugin-kit'

export interface Token { value: string; seconds: number }

/** Keeps an access token until a minute before its end, and asks once where several want one. */
export function keptToken(context: Pick<DnsProviderContext, 'now'>, ask: () => Promise<Token>): () => Promise<string> {
  let kept: { value: string; until: number } | undefined
  let asking: Promise<string> | undefined
  const renewed = async () => {
    const { value, seconds } = await ask()
    kept = { value, until: context.now().getTime() + (seconds - 60) * 1000 }
    return value
  }
  return () => {
    if (kept !== undefined && context.now().getTime() < kept.until) return Promise.resolve(kept.value)
    asking ??= renewed().finally(() => { asking = undefined })
    return asking
  }
}
