import { botAdd, botList, botRevoke, botScan, botShow } from './bot/bots.ts'
import { botScanHost } from './bot/scan-host.ts'
import { caCommands } from './ca/commands.ts'
import { actionCommands } from './certificate/actions.ts'
import { certificateConfigure } from './certificate/configure.ts'
import { certificateExport } from './certificate/export.ts'
import { certificateAdd, certificateDelete, certificateManage, certificateTimeline } from './certificate/inventory.ts'
import { certificateList } from './certificate/list.ts'
import { certificateShow } from './certificate/show.ts'
import type { Command } from './command.ts'
import { deploymentApprove, deploymentCancel, deploymentList, deploymentShow } from './deployment/deployments.ts'
import { orderCancel, orderList, orderShow } from './order/orders.ts'
import { login } from './session/login.ts'
import { logout } from './session/logout.ts'
import { sessionShow } from './session/session.ts'
import { tokenAdd, tokenDelete, tokenList } from './session/tokens.ts'
import { targetConfirmHostKey } from './target/confirm-host-key.ts'
import { targetRemove, targetSet } from './target/set.ts'
import { authorityList, serverTypeList, systemShow } from './system/system.ts'

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  login, logout,
  certificateList, certificateShow, certificateAdd, certificateConfigure, certificateExport, ...actionCommands, certificateTimeline, certificateManage, certificateDelete,
  targetSet, targetRemove, targetConfirmHostKey,
  orderList, orderShow, orderCancel,
  deploymentList, deploymentShow, deploymentApprove, deploymentCancel,
  botList, botShow, botAdd, botScan, botScanHost, botRevoke,
  ...caCommands,
  authorityList, serverTypeList,
  tokenList, tokenAdd, tokenDelete,
  sessionShow, systemShow,
]
