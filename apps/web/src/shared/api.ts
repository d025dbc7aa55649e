import { keepPreviousData, QueryClient, useInfiniteQuery, useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { ApiProblem, createClient, type CallInput, type OperationId, type ResponseOf, type Session } from '@certloop/api-client'

/** Key of the session; null is kept there when nobody is signed in. */
export const sessionKey = ['getSession'] as const

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // Only what may pass by itself is tried again; an error answer stays one.
      retry: (failures, error) => failures < 2 && error instanceof ApiProblem && (error.status === 0 || error.status === 503),
    },
  },
})

/** Somebody signed in or out: nothing that was read for another stays. */
export function beginSession(session: Session | null): void {
  queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionKey[0] })
  queryClient.setQueryData(sessionKey, session)
}

export const client = createClient({ baseUrl: '', onUnauthorized: ({ code }) => { if (code === 'SIGN_IN_REQUIRED') beginSession(null) } })

type LooseCall = (operation: OperationId, input: object) => Promise<unknown>
/** The client's `call` where operation and input are only known together as a type parameter. */
const call = client.call as LooseCall

type ReadOperation = Extract<OperationId, `get${string}` | `list${string}`>
type ReadInput<K extends OperationId> = Omit<CallInput<K>, 'signal' | 'idempotencyKey'>
export interface ReadOptions { enabled?: boolean; keepPrevious?: boolean; /** For what has no live updates: read again after so many milliseconds. */ everyMs?: number }

/** Reads by one operation; live updates make it read again. Key: [operation, input]. */
export function useRead<K extends ReadOperation>(operation: K, input: ReadInput<K>, options: ReadOptions = {}): UseQueryResult<ResponseOf<K>> {
  return useQuery({ ...readOptions(operation, input), enabled: options.enabled ?? true, refetchInterval: options.everyMs ?? false, ...(options.keepPrevious ? { placeholderData: keepPreviousData } : {}) })
}

/** For useQueries, where several are read at once. */
export function readOptions<K extends ReadOperation>(operation: K, input: ReadInput<K>) {
  return {
    queryKey: [operation, input] as const,
    queryFn: ({ signal }: { signal: AbortSignal }) => call(operation, { ...input, signal }) as Promise<ResponseOf<K>>,
  }
}

type PagedOperation = { [K in OperationId]: ResponseOf<K> extends { nextCursor: string | null } ? K : never }[OperationId]
type ItemOf<K extends PagedOperation> = ResponseOf<K> extends { items: (infer T)[] } ? T : never

/** Reads a list page by page; `items` are those of all pages read so far, `more` is for what shows them. */
export function usePages<K extends PagedOperation>(operation: K, input: ReadInput<K>, options: Pick<ReadOptions, 'everyMs'> = {}) {
  const result = useInfiniteQuery({
    queryKey: [operation, input] as const,
    queryFn: async ({ pageParam, signal }) => {
      const { query, ...rest } = input as { query?: object }
      return await call(operation, { ...rest, query: { ...query, cursor: pageParam }, signal }) as { items: ItemOf<K>[]; nextCursor: string | null }
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: options.everyMs ?? false,
  })
  const more = { hasMore: result.hasNextPage, loading: result.isFetchingNextPage, load: () => void result.fetchNextPage() }
  return { ...result, items: result.data?.pages.flatMap((page) => page.items), more }
}

/** A call that changes something. What is shown is read again afterwards, live updates or not. */
export function useWrite<K extends Exclude<OperationId, ReadOperation>>(operation: K, onDone?: (answer: ResponseOf<K>) => void) {
  const queries = useQueryClient()
  return useMutation<ResponseOf<K>, Error, CallInput<K>>({
    mutationFn: (input) => call(operation, input) as Promise<ResponseOf<K>>,
    onSuccess: (answer) => {
      onDone?.(answer)
      void queries.invalidateQueries()
    },
  })
}

/** A question that has a body: it is asked by POST and changes nothing. */
export function useQuestion<K extends 'checkConfiguration'>(operation: K) {
  return useMutation<ResponseOf<K>, Error, CallInput<K>>({ mutationFn: (input) => call(operation, input) as Promise<ResponseOf<K>> })
}

/** Whether the signed-in person may do something; false while unknown. The server decides in the end. */
export function useMay(permission: Session['permissions'][number]): boolean {
  return useSession().data?.permissions.includes(permission) ?? false
}

export function useSession() {
  return useQuery<Session | null>({
    queryKey: sessionKey,
    queryFn: async ({ signal }) => {
      try {
        return await client.call('getSession', { signal })
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 401) return null
        throw error
      }
    },
  })
}
