import { createContext, useContext } from 'react'

/** Where the pages take the present time from; main.tsx sets it. */
export const ClockContext = createContext<() => Date>(() => { throw new Error('no clock was provided') })

export const useClock = () => useContext(ClockContext)
