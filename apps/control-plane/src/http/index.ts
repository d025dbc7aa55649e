export { buildHttp, type HttpDeps } from './build-http.ts'
export { implement, implementBotRoute, type App, type BotRoute, type Handler } from './implement.ts'
export { requirePermission } from './access.ts'
export type { BotAuth, BotIdentity, BotRequest, Who } from './who.ts'
