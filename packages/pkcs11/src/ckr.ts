import { CertloopError, type ErrorCode } from '@certloop/contract'

/** Return values (CKR_…) that Certloop treats apart from others. */
export const ckr = {
  ok: 0x0, slotIdInvalid: 0x3, generalError: 0x5, attributeSensitive: 0x11, attributeTypeInvalid: 0x12, deviceError: 0x30, deviceRemoved: 0x32, keyHandleInvalid: 0x60,
  objectHandleInvalid: 0x82, sessionClosed: 0xb0, sessionHandleInvalid: 0xb3, tokenNotPresent: 0xe0, tokenNotRecognized: 0xe1,
  userAlreadyLoggedIn: 0x100, userNotLoggedIn: 0x101, bufferTooSmall: 0x150, cryptokiNotInitialized: 0x190, cryptokiAlreadyInitialized: 0x191,
} as const

interface Meaning { name: string; words: string; code?: ErrorCode }

const meanings: Readonly<Record<number, Meaning>> = {
  0x01: { name: 'CKR_CANCEL', words: 'the call was cancelled' },
  0x02: { name: 'CKR_HOST_MEMORY', words: 'the module ran out of memory on this machine' },
  0x03: { name: 'CKR_SLOT_ID_INVALID', words: 'there is no such slot' },
  0x05: { name: 'CKR_GENERAL_ERROR', words: 'the module failed and says no more; its own log may' },
  0x06: { name: 'CKR_FUNCTION_FAILED', words: 'the module could not do it; its own log may say why' },
  0x07: { name: 'CKR_ARGUMENTS_BAD', words: 'the module does not accept the arguments of the call' },
  0x0a: { name: 'CKR_CANT_LOCK', words: 'the module can not work with several threads' },
  0x11: { name: 'CKR_ATTRIBUTE_SENSITIVE', words: 'the token does not give this attribute out' },
  0x12: { name: 'CKR_ATTRIBUTE_TYPE_INVALID', words: 'the object does not have this attribute' },
  0x13: { name: 'CKR_ATTRIBUTE_VALUE_INVALID', words: 'the token does not accept a value of the key to be made', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x1b: { name: 'CKR_ACTION_PROHIBITED', words: 'the token does not allow this' },
  0x20: { name: 'CKR_DATA_INVALID', words: 'the token does not accept the data' },
  0x21: { name: 'CKR_DATA_LEN_RANGE', words: 'the data are too long for the key or mechanism' },
  0x30: { name: 'CKR_DEVICE_ERROR', words: 'the device failed' },
  0x31: { name: 'CKR_DEVICE_MEMORY', words: 'the device is full' },
  0x32: { name: 'CKR_DEVICE_REMOVED', words: 'the device was taken out or its connection was lost' },
  0x50: { name: 'CKR_FUNCTION_CANCELED', words: 'the call was cancelled' },
  0x54: { name: 'CKR_FUNCTION_NOT_SUPPORTED', words: 'the module can not do this' },
  0x60: { name: 'CKR_KEY_HANDLE_INVALID', words: 'the key is no longer there', code: 'PKCS11_KEY_NOT_FOUND' },
  0x62: { name: 'CKR_KEY_SIZE_RANGE', words: 'the token does not take keys of this size', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x63: { name: 'CKR_KEY_TYPE_INCONSISTENT', words: 'the key is of another kind than the mechanism', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x68: { name: 'CKR_KEY_FUNCTION_NOT_PERMITTED', words: 'the key was made without the right to sign (CKA_SIGN)' },
  0x70: { name: 'CKR_MECHANISM_INVALID', words: 'the token does not have this mechanism', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x71: { name: 'CKR_MECHANISM_PARAM_INVALID', words: 'the token does not accept the parameters of the mechanism', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x82: { name: 'CKR_OBJECT_HANDLE_INVALID', words: 'the key is no longer there', code: 'PKCS11_KEY_NOT_FOUND' },
  0x90: { name: 'CKR_OPERATION_ACTIVE', words: 'the session is busy with something else' },
  0x91: { name: 'CKR_OPERATION_NOT_INITIALIZED', words: 'the token lost the operation it had begun' },
  0xa0: { name: 'CKR_PIN_INCORRECT', words: 'the PIN is wrong', code: 'PKCS11_PIN_WRONG' },
  0xa1: { name: 'CKR_PIN_INVALID', words: 'the PIN has characters that the token does not take', code: 'PKCS11_PIN_WRONG' },
  0xa2: { name: 'CKR_PIN_LEN_RANGE', words: 'the PIN is too short or too long for the token', code: 'PKCS11_PIN_WRONG' },
  0xa3: { name: 'CKR_PIN_EXPIRED', words: 'the PIN is expired and has to be set anew with the tool of the token', code: 'PKCS11_PIN_WRONG' },
  0xa4: { name: 'CKR_PIN_LOCKED', words: 'the PIN is locked after too many wrong tries; the security officer of the token has to reset it', code: 'PKCS11_PIN_WRONG' },
  0xb0: { name: 'CKR_SESSION_CLOSED', words: 'the token closed the session' },
  0xb1: { name: 'CKR_SESSION_COUNT', words: 'the token has no more sessions to give; lower the number of sessions' },
  0xb3: { name: 'CKR_SESSION_HANDLE_INVALID', words: 'the token does not know the session any more' },
  0xb5: { name: 'CKR_SESSION_READ_ONLY', words: 'the session may only read' },
  0xb8: { name: 'CKR_SESSION_READ_WRITE_SO_EXISTS', words: 'the security officer is logged in at the same time' },
  0xd1: { name: 'CKR_TEMPLATE_INCONSISTENT', words: 'the token does not accept the properties of the key to be made', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0xe0: { name: 'CKR_TOKEN_NOT_PRESENT', words: 'there is no token in the slot' },
  0xe1: { name: 'CKR_TOKEN_NOT_RECOGNIZED', words: 'the module does not recognise the token in the slot' },
  0xe2: { name: 'CKR_TOKEN_WRITE_PROTECTED', words: 'the token is write-protected' },
  0x100: { name: 'CKR_USER_ALREADY_LOGGED_IN', words: 'somebody is logged in already' },
  0x101: { name: 'CKR_USER_NOT_LOGGED_IN', words: 'the token forgot the login' },
  0x102: { name: 'CKR_USER_PIN_NOT_INITIALIZED', words: 'the token has no user PIN yet; set one with the tool of the token' },
  0x104: { name: 'CKR_USER_ANOTHER_ALREADY_LOGGED_IN', words: 'another user is logged in at the same time' },
  0x105: { name: 'CKR_USER_TOO_MANY_TYPES', words: 'too many users are logged in at the same time' },
  0x130: { name: 'CKR_DOMAIN_PARAMS_INVALID', words: 'the token does not have this curve', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x140: { name: 'CKR_CURVE_NOT_SUPPORTED', words: 'the token does not have this curve', code: 'KEY_ALGORITHM_UNSUPPORTED' },
  0x150: { name: 'CKR_BUFFER_TOO_SMALL', words: 'the answer is longer than expected' },
  0x190: { name: 'CKR_CRYPTOKI_NOT_INITIALIZED', words: 'the module is not initialised' },
  0x191: { name: 'CKR_CRYPTOKI_ALREADY_INITIALIZED', words: 'the module is initialised already' },
}

/** A call that the module or token refused. */
export class CkrError extends CertloopError {
  /** Return value of the call. */
  readonly value: number
  constructor(value: number, call: string) {
    const known = meanings[value]
    const name = known?.name ?? (value >= 0x8000_0000 ? `CKR_VENDOR_DEFINED 0x${value.toString(16)}` : `0x${value.toString(16)}`)
    super(known?.code ?? 'PKCS11_UNAVAILABLE', `${call} ended with ${name}: ${known?.words ?? 'see the manual of the module'}.`, { ckr: name, call })
    this.value = value
  }
}

/** A call that did not come back in time. It may still do so: until then nothing else may use its session. */
export class CallTimeout extends CertloopError {
  readonly returned: Promise<void>
  constructor(call: string, milliseconds: number, returned: Promise<void>) {
    super('PKCS11_UNAVAILABLE', `${call} did not come back within ${milliseconds} ms: the token or the connection to it hangs.`, { call })
    this.returned = returned
  }
}

const sessionLost: ReadonlySet<number> = new Set([
  ckr.slotIdInvalid, ckr.deviceError, ckr.deviceRemoved, ckr.sessionClosed, ckr.sessionHandleInvalid, ckr.tokenNotPresent, ckr.tokenNotRecognized,
  ckr.userNotLoggedIn, ckr.cryptokiNotInitialized, ckr.generalError,
])
/** The token that the settings name is not there. */
export class TokenMissing extends CertloopError {
  constructor(message: string) {
    super('PKCS11_UNAVAILABLE', message)
  }
}

/** A key that was there is not any more: SoftHSM says so when the token was away. */
export class KeyGone extends CertloopError {
  constructor(message: string) {
    super('PKCS11_KEY_NOT_FOUND', message)
  }
}

/** After these a new session and a new login may help. */
export const meansSessionLost = (error: unknown): boolean => error instanceof TokenMissing || error instanceof KeyGone || (error instanceof CkrError && sessionLost.has(error.value))

/** After these the call has certainly done nothing. */
export const meansNothingDone = (error: unknown): boolean => error instanceof CkrError && error.value !== ckr.deviceError && error.value !== ckr.deviceRemoved && error.value !== ckr.generalError
