/** So long planning and carrying out the deployments of one wave may take before somebody is told. */
const waveMinutes = 120
export const waveDeadline = (now: Date): Date => new Date(now.getTime() + waveMinutes * 60_000)
