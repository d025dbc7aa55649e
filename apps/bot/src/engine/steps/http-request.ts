import { CertloopError, type HttpRequestStep, toCertloopError } from '@certloop/contract'
import { bodyForLog, lookFor } from './answers.ts'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'
import { basicAuthorization, digestAuthorization } from './http-authorization.ts'
import { exchange, type HttpAnswer } from './http-exchange.ts'
import { isDown } from './is-down.ts'

/** Sends the request; with Digest a second time, once the server has said what it wants. */
async function send(context: StepContext, step: HttpRequestStep): Promise<HttpAnswer> {
  const { authorization } = step
  const end = performance.now() + step.timeoutSeconds * 1000
  if (authorization === undefined) return exchange(context.host, step, end)
  const login = { user: authorization.user, password: context.secret(authorization.password) }
  if (authorization.scheme === 'basic') return exchange(context.host, step, end, basicAuthorization(login))
  const first = await exchange(context.host, step, end)
  if (first.status !== 401) return first
  const { pathname, search } = new URL(step.url)
  return exchange(context.host, step, end, digestAuthorization(first.challenges, login, step.method, `${pathname}${search}`))
}

/** After a failure the server may be down as a whole. One that lost the endpoints alone still has its management, and needs the request. */
async function isOver(context: StepContext, { purpose }: HttpRequestStep, thrown: unknown): Promise<boolean> {
  return purpose === 'activate' && context.troubled && toCertloopError(thrown).code === 'HOST_UNREACHABLE' && await isDown(context)
}

async function request(context: StepContext, step: HttpRequestStep): Promise<StepReport> {
  const answer = await send(context, step).catch(async (thrown: unknown) => {
    if (await isOver(context, step, thrown)) return undefined
    throw thrown
  })
  if (answer === undefined) return { message: `${step.title}: the server is down; it reads its files when it starts.` }
  const { status, body } = answer
  const fits = step.expect.status.includes(status) && (step.expect.body === undefined || lookFor(step.expect.body, body))
  if (!fits) throw new CertloopError('MANAGEMENT_REFUSED', `${step.title}: ${step.method} ${step.url} was answered with status ${status}${status === 401 ? ' (user or password refused)' : ''}: ${bodyForLog(body)}`, { status, url: step.url })
  return { message: `${step.title}: answered with status ${status}.`, output: body.trim() === '' ? null : bodyForLog(body) }
}

/** Asks a management interface, from the host itself. Nothing is asked twice by itself, and no redirect is followed. */
export const httpRequest: StepExecutor<HttpRequestStep> = {
  role: ({ purpose }) => purpose,
  do: request,
  again: request,
}
