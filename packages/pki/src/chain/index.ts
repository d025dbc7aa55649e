export { isIssuedBy, isSelfSigned, orderChain } from './chain.ts'
