import { authorityCommands } from './authority/commands.ts'
import { botAdd, botList, botRevoke, botScan, botShow } from './bot/bots.ts'
import { botScanHost } from './bot/scan-host.ts'
import { caCommands } from './ca/commands.ts'
import { actionCommands, certificateActions, certificateCancel } from './certificate/actions.ts'
import { certificateCheckConfiguration, certificateConfigure } from './certificate/configure.ts'
import { certificateExport } from './certificate/export.ts'
import { certificateAdd, certificateDelete, certificateManage, certificateTimeline } from './certificate/inventory.ts'
import { certificateList } from './certificate/list.ts'
import { certificateShow } from './certificate/show.ts'
import type { Command } from './command.ts'
import { deploymentApprove, deploymentCancel, deploymentRetry, deploymentUndo } from './deployment/deployment-change.ts'
import { deploymentList, deploymentShow } from './deployment/deployments.ts'
import { dnsProviderCommands } from './dns-provider/dns-providers.ts'
import { freezeAdd, freezeChange, freezeDelete, freezeList } from './freeze/freezes.ts'
import { batchCommands } from './many/batches.ts'
import { bulkCommands } from './many/bulks.ts'
import { orderCancel, orderList, orderLookAgain, orderShow } from './order/orders.ts'
import { rolloutCommands } from './rollout/rollouts.ts'
import { login } from './session/login.ts'
import { logout } from './session/logout.ts'
import { sessionShow } from './session/session.ts'
import { tokenAdd, tokenDelete, tokenList } from './session/tokens.ts'
import { targetConfirmHostKey } from './target/confirm-host-key.ts'
import { targetRemove, targetSet } from './target/set.ts'
import { serverTypeList, serverTypeShow } from './system/server-types.ts'
import { systemShow } from './system/system.ts'
import { templateCreate, templateDelete, templateList, templateShow, templateUpdate } from './template/templates.ts'
import { validationCommands } from './validation/validations.ts'

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  login, logout,
  certificateList, certificateShow, certificateAdd, certificateConfigure, certificateCheckConfiguration, certificateExport, certificateActions, ...actionCommands, certificateCancel, certificateTimeline, certificateManage, certificateDelete,
  targetSet, targetRemove, targetConfirmHostKey,
  orderList, orderShow, orderCancel, orderLookAgain, ...validationCommands,
  deploymentList, deploymentShow, deploymentApprove, deploymentCancel, deploymentUndo, deploymentRetry,
  ...rolloutCommands,
  ...bulkCommands, ...batchCommands,
  templateList, templateShow, templateCreate, templateUpdate, templateDelete,
  freezeList, freezeAdd, freezeChange, freezeDelete,
  botList, botShow, botAdd, botScan, botScanHost, botRevoke,
  ...caCommands,
  ...authorityCommands, ...dnsProviderCommands,
  serverTypeList, serverTypeShow,
  tokenList, tokenAdd, tokenDelete,
  sessionShow, systemShow,
]
