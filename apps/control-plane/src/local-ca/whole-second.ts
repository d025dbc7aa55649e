/** Certificates, lists and answers know no fractions of a second: they are cut off (RFC 5280, 4.1.2.5). @param at a time, or milliseconds since 1970 */
export const wholeSecond = (at: Date | number): Date => new Date(Math.floor(Number(at) / 1000) * 1000)
