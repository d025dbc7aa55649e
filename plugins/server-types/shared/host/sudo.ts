/** A command as it is called: through `sudo -n`, which never asks, where the bot is not root. */
export const throughSudo = (sudo: boolean, argv: readonly string[]): string[] => [...(sudo ? ['sudo', '-n'] : []), ...argv]
