import type { Command } from '../command.ts'
import { csrInspect } from './csr.ts'
import { issuedIssue } from './issued-issue.ts'
import { issuedResume, issuedRevoke, issuedSuspend } from './issued-revoke.ts'
import { issuedList, issuedShow } from './issued.ts'
import { issuerActivate, issuerCrossSign, issuerInstallCertificate, issuerPrefer, issuerRetire, issuerRollOver } from './issuer-change.ts'
import { issuerCreate } from './issuer-create.ts'
import { issuerImport } from './issuer-import.ts'
import { issuerCsr, issuerList, issuerShow } from './issuer-inspect.ts'
import { issuerConfigure, issuerPublishCrl } from './issuer-publishing.ts'
import { profileChange, profileCopy, profileCreate, profileDelete, profileList, profileShow } from './profiles.ts'

/** The built-in CA, in the order of the help. */
export const caCommands: readonly Command[] = [
  issuedList, issuedShow, issuedIssue, issuedRevoke, issuedSuspend, issuedResume, csrInspect,
  profileList, profileShow, profileCreate, profileChange, profileCopy, profileDelete,
  issuerList, issuerShow, issuerCreate, issuerImport, issuerCsr, issuerInstallCertificate, issuerActivate, issuerRollOver, issuerCrossSign, issuerPrefer, issuerConfigure, issuerPublishCrl, issuerRetire,
]
