import { sql, type RawBuilder, type SqlBool } from 'kysely'

/** Codecs between rows and values; the same on both databases. */
export const toJson = (value: unknown): string => JSON.stringify(value)
export const fromJson = <T>(text: string): T => JSON.parse(text) as T
export const fromJsonOrNull = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T))
export const toBit = (value: boolean): number => (value ? 1 : 0)
export const fromBit = (value: number): boolean => value === 1
export const iso = (date: Date): string => date.toISOString()
/** True where the column holds this text somewhere; % and _ stand for themselves. */
export const contains = (column: string, text: string): RawBuilder<SqlBool> => sql<SqlBool>`${sql.ref(column)} like ${`%${text.replaceAll(/[%_\\]/g, (c) => `\\${c}`)}%`} escape '\\'`
