/** What is searched for after a change of some filters; null and '' take one away. */
export const withFilters = <S extends object>(search: S, change: Partial<Record<keyof S, string | null>>): S =>
  Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value !== null && value !== '')) as S
