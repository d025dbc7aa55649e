import { notifications } from '@mantine/notifications'
import { shownProblem } from './problem.ts'

/** Says in passing that something worked. */
export function tell(message: string): void {
  notifications.show({ color: 'teal', message, role: 'status' })
}

/** For an error that has no place on the page. */
export function tellProblem(title: string, thrown: unknown): void {
  const { message, remedy } = shownProblem(thrown instanceof Error ? thrown : new Error(String(thrown)))
  notifications.show({ color: 'red', title, message: `${message} ${remedy}`, autoClose: false })
}
