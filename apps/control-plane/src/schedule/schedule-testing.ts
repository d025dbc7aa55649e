import fc from 'fast-check'

export const at = (text: string) => new Date(text)
export const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Australia/Sydney', 'Pacific/Apia', 'America/Sao_Paulo', 'America/Santiago', 'UTC', 'Asia/Kathmandu', 'Africa/Casablanca']
export const anyZone = fc.constantFrom(...zones)
const two = (n: number) => String(n).padStart(2, '0')
export const anyTime = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 })).map(([h, m]) => `${two(h)}:${two(m)}`)
export const anyInstant = fc.date({ min: at('2010-01-01'), max: at('2040-01-01'), noInvalidDate: true })
export const anyFrequency = fc.record({ frequency: fc.constantFrom('daily' as const, 'weekly' as const, 'monthly' as const), weekday: fc.integer({ min: 1, max: 7 }), dayOfMonth: fc.integer({ min: 1, max: 31 }) })
