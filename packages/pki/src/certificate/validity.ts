/** Whether a certificate's time is over: the second of notAfter belongs to it, and certificates know no parts of one (RFC 5280, 4.1.2.5). */
export const hasEnded = (at: Date, notAfter: Date): boolean => at.getTime() >= notAfter.getTime() + 1000
