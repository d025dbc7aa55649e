import { defineCommand } from '../command.ts'
import { trust, type Context } from '../context.ts'
import { isApiProblem } from '../failure.ts'
import { readStored, removeStored, type StoredSignIn } from '../stored.ts'

/** Deletes the token that login made. A token of somebody else's making stays. */
async function endToken(context: Context, { url, token, tokenId, caPem }: StoredSignIn): Promise<boolean> {
  if (tokenId === undefined) return false
  await trust(caPem)
  const { createClient } = await context.api()
  try {
    await createClient({ baseUrl: url, token }).call('deleteApiToken', { params: { id: tokenId as `tok_${string}` } })
    return true
  } catch (error) {
    if (isApiProblem(error) && (error.status === 401 || error.status === 404)) return true
    context.warn(`The API token ${tokenId} could not be deleted at ${url}: ${(error as Error).message} Delete it on the tokens page.`)
    return false
  }
}

export const logout = defineCommand({
  noun: 'logout', summary: 'Forget the sign-in, and delete the API token it made',
  args: {}, options: {}, examples: ['logout'],
  async run(context) {
    const stored = await readStored(context.storedPath).catch(() => null) // damaged: removed all the same
    if (stored === undefined) {
      context.show(null, () => ['You were not signed in.'])
      return
    }
    const ended = stored !== null && await endToken(context, stored)
    await removeStored(context.storedPath)
    context.show(null, () => [`Signed out${stored ? ` of ${stored.url}` : ''}.${ended ? ' The API token was deleted.' : ''}`])
  },
})
