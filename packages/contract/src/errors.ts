/** Failure classes of mission F1, and the two of bad requests to the API itself. */
export const errorClasses = [
  'authentication', 'permission', 'input', 'not-found', 'conflict', 'network-timeout', 'keystore-write',
  'reload-or-restart', 'validation', 'authority-rejection', 'policy', 'configuration', 'internal',
] as const
export type ErrorClass = (typeof errorClasses)[number]

export interface ErrorSpec {
  readonly class: ErrorClass
  /** Used only at the HTTP edge. */
  readonly httpStatus: number
  /** never: asking again gives the same; later: it may pass by itself; after-change: once somebody mends something. */
  readonly retry: 'never' | 'later' | 'after-change'
  /** In plain words, what happened. The message of the error adds the particulars. */
  readonly cause: string
  readonly remedy: string
  /** Where a person mends it: a page, file or command. */
  readonly where: string
}

const api = (httpStatus: number, cls: ErrorClass, cause: string, remedy: string, where: string, retry: ErrorSpec['retry'] = 'after-change'): ErrorSpec =>
  ({ class: cls, httpStatus, retry, cause, remedy, where })
/** An error of work under way rather than of a request: 409 if it ever reaches the API edge. */
const work = (cls: ErrorClass, retry: ErrorSpec['retry'], cause: string, remedy: string, where: string): ErrorSpec =>
  ({ class: cls, httpStatus: 409, retry, cause, remedy, where })

/** Every code the product can say, once. docs/reference/errors.md is made from this table. */
export const errorSpecs = {
  // Requests to the API
  INPUT_INVALID: api(400, 'input', 'The request does not fit what this call takes.', 'Correct the named fields and send it again.', 'The field named in "fields"'),
  BODY_TOO_LARGE: api(413, 'input', 'The request is larger than this call takes.', 'Send less at a time.', 'The request'),
  NAME_INVALID: api(400, 'input', 'A certificate name is not a valid DNS name or IP address.', 'Write host names such as www.example.com; a wildcard is one * as the whole first label.', 'Configuration: names'),
  TOO_MANY_NAMES: api(400, 'input', 'The certificate would carry more names than allowed.', 'Split the names over several certificates.', 'Configuration: names'),
  CSR_INVALID: api(400, 'input', 'The certificate request can not be read or its signature does not fit its key.', 'Make the request again with the tool it came from.', 'The uploaded CSR'),
  CERTIFICATE_INVALID: api(400, 'input', 'The certificate can not be read.', 'Take the file from where it was issued again, as PEM or DER.', 'The uploaded certificate'),
  KEY_INVALID: api(400, 'input', 'The private key can not be read.', 'Give a private key as PEM or DER: PKCS#8, PKCS#1 or SEC1. The message says what it seems to be instead.', 'The uploaded key'),
  KEY_WEAK: api(400, 'policy', 'The key is too weak to be certified.', 'Make a new key with a current tool; the message says what is wrong with this one.', 'The host or tool that made the key'),
  PASSWORD_NEEDED: api(400, 'input', 'What was given is encrypted, and no password came with it.', 'Give the password. An empty password is not the same as none.', 'The uploaded file'),
  PASSWORD_WRONG: api(400, 'input', 'The password does not open what was given, or the file is damaged.', 'Check the password; some tools ask for one for the store and another for the key.', 'The uploaded file'),
  KEYSTORE_INVALID: api(400, 'input', 'The keystore or container can not be read.', 'Export it again from where it came, as PKCS#12, JKS, PKCS#7 or PEM.', 'The uploaded file'),
  LIMIT_EXCEEDED: api(400, 'input', 'Reading what was given would take more time or memory than allowed.', 'Give a smaller or simpler file; the message names the limit.', 'The uploaded file'),
  ENTRY_NOT_FOUND: api(404, 'not-found', 'There is no entry of this name in the keystore.', 'Choose one of the names in the message.', 'The keystore'),
  CHAIN_INVALID: api(400, 'input', 'The certificates do not form a valid chain.', 'The message says which certificate is missing, expired or does not fit.', 'The uploaded certificates'),
  CRL_INVALID: api(400, 'input', 'The certificate revocation list can not be read.', 'Fetch the list again from its distribution point.', 'The list'),
  OCSP_INVALID: api(400, 'input', 'The OCSP request or response can not be read.', 'Repeat it with a current tool.', 'The OCSP client or responder'),
  PEM_INVALID: api(400, 'input', 'The PEM text is damaged.', 'Copy the whole text, from the first BEGIN to the last END line.', 'The uploaded text'),
  NOT_FOUND: api(404, 'not-found', 'There is nothing with this id, or it is not yours to see.', 'Check the id; it may have been deleted.', 'The address called'),
  CONFLICT: api(409, 'conflict', 'This clashes with what is there: somebody changed it in the meantime, or it exists already.', 'Read it again and repeat the change, or choose another name.', 'The thing changed'),
  ACTION_NOT_POSSIBLE: api(409, 'conflict', 'The action is not possible in the present state.', 'The message says what has to happen first.', 'Certificate: actions'),
  SIGN_IN_REQUIRED: api(401, 'authentication', 'No valid session or API token came with the request.', 'Sign in, or send a token as "Authorization: Bearer …".', 'Sign-in page'),
  SIGN_IN_FAILED: api(401, 'authentication', 'User name or password is wrong.', 'Try again; an administrator can set a new password.', 'Sign-in page'),
  PASSWORD_CHANGE_REQUIRED: api(403, 'authentication', 'The one-time password has to be replaced first.', 'Choose a password of your own.', 'Sign-in page'),
  PASSWORD_TOO_WEAK: api(400, 'input', 'The new password is too easy to guess.', 'Take at least 12 characters, and not the one-time password.', 'Sign-in page'),
  PERMISSION_DENIED: api(403, 'permission', 'You are signed in, but may not do this.', 'Ask an administrator for the permission named in the message.', 'Users and tokens'),
  ORIGIN_REFUSED: api(403, 'permission', 'A request with a session came from another site.', 'Use the pages of this control plane, or an API token.', 'The calling page'),
  TOO_MANY_REQUESTS: api(429, 'permission', 'Too many requests in a short time.', 'Wait for the time given in Retry-After.', 'The caller', 'later'),
  INTERNAL: api(500, 'internal', 'Something went wrong inside Certloop.', 'Look up the request id in the log of the control plane and report it.', 'Control plane log', 'later'),
  UNAVAILABLE: api(503, 'internal', 'The control plane is starting, stopping or without its database.', 'Try again shortly; see /readyz.', 'Control plane', 'later'),

  // Bots: joining and talking
  JOIN_TOKEN_MALFORMED: api(400, 'input', 'This is not a join token.', 'Copy the whole token from the Bots page.', 'Bots page'),
  JOIN_TOKEN_UNKNOWN: api(401, 'authentication', 'The join token is unknown or its secret is wrong.', 'Make a new join token.', 'Bots page'),
  JOIN_TOKEN_USED: api(401, 'authentication', 'The join token was used before; it works once.', 'Make a new join token. If you did not use it, revoke the bot that did.', 'Bots page'),
  JOIN_TOKEN_NOT_YET_ACTIVE: api(401, 'authentication', 'The activation window of the join token has not begun.', 'Wait for the time shown, or make a new token.', 'Bots page', 'later'),
  JOIN_TOKEN_EXPIRED: api(401, 'authentication', 'The activation window of the join token is over.', 'Make a new join token.', 'Bots page'),
  PIN_MISMATCH: work('authentication', 'after-change', 'The server at this address does not hold the trust anchor pinned in the join token.', 'Check the address and whether something intercepts TLS between here and the control plane. Nothing was sent.', 'The network between bot and control plane'),
  BOT_UNKNOWN: api(401, 'authentication', 'No bot with this id is known here.', 'Join the bot again with a new token.', 'Bots page'),
  BOT_REVOKED: api(401, 'authentication', 'This bot was revoked.', 'Join the bot again with a new token if that was not meant.', 'Bots page'),
  BOT_SIGNATURE_INVALID: api(401, 'authentication', 'The request was not signed by this bot, was altered on its way, is too old or was sent twice.', 'Check the clock of the host and any proxy between.', 'The host of the bot'),
  BOT_UNREACHABLE: work('network-timeout', 'later', 'The bot has not been heard of in time.', 'Check that the bot runs on its host and can reach the control plane.', 'Bots page'),
  CONTROL_PLANE_UNREACHABLE: work('network-timeout', 'later', 'The control plane can not be reached.', 'Check that it runs, then address, proxy and firewall between here and there. Bots keep trying by themselves.', 'The network; on the host of a bot also bot.toml: [control-plane]'),
  BOT_NOT_JOINED: work('configuration', 'after-change', 'This data folder belongs to no bot yet.', 'Make a join token on the Bots page and run "certloop-bot join TOKEN".', 'The host of the bot'),
  BOT_ALREADY_JOINED: work('conflict', 'after-change', 'This data folder belongs to a bot already.', 'Choose another folder with --data, or add --replace to give up the present identity.', 'The host of the bot'),
  ADDRESS_INSECURE: work('policy', 'after-change', 'The control plane would be called without TLS over a network.', 'Set an https address for the control plane and make a new join token. http is for loopback only.', 'Settings: public address'),
  ANSWER_INVALID: work('internal', 'later', 'Something other than a control plane of this protocol answered.', 'Check the address, any proxy between, and the versions of bot and control plane.', 'The network between bot and control plane'),
  LEASE_LOST: api(409, 'conflict', 'The task was given to another worker, or is over.', 'Nothing: the task goes on elsewhere.', 'Task', 'never'),
  TASK_DEADLINE_PASSED: work('network-timeout', 'after-change', 'The work was not finished by its deadline.', 'See the last step in the timeline, mend its cause and start it again.', 'Timeline'),
  TASK_ATTEMPTS_EXHAUSTED: work('internal', 'after-change', 'The work was tried as often as allowed and failed each time.', 'See the last error in the timeline.', 'Timeline'),

  // Limits the host's administrator set
  PATH_NOT_ALLOWED: work('policy', 'after-change', 'bot.toml on the host does not let the bot write this path.', 'Add the folder to limits.write_paths in bot.toml, or choose another path.', 'bot.toml: [limits]'),
  COMMAND_NOT_ALLOWED: work('policy', 'after-change', 'bot.toml on the machine of the bot does not allow this program, script or host.', 'Allow there what the message names: a program in limits.commands, scripts with limits.scripts = true, a host in limits.ssh_hosts (and limits.ssh not false). Then restart the bot.', 'bot.toml: [limits]'),
  PROGRAM_NOT_TRUSTED: work('policy', 'after-change', 'The bot does not run a program that it can not tell to be the one of the running server.', 'Leave the field for the program empty, or let it name the program of the running server.', 'Certificate, Configuration'),
  BOT_CONFIGURATION_INVALID: work('configuration', 'after-change', 'bot.toml can not be used.', 'Correct the named line.', 'bot.toml'),

  // Orders
  CONFIGURATION_INCOMPLETE: api(409, 'configuration', 'The provisioning configuration is not complete.', 'Fill in what the message names.', 'Certificate: configuration'),
  TEMPLATE_VIOLATED: api(409, 'policy', 'The request does not follow the rules of its CSR template.', 'Change what the message names in the configuration, or the rules of the template. Nothing was ordered.', 'Certificate: configuration, request'),
  KEY_NOT_MADE: work('keystore-write', 'after-change', 'The bot could not make or store the private key.', 'Check space and rights of the data folder of the bot.', 'The host of the bot'),
  KEY_NOT_FOUND: work('keystore-write', 'after-change', 'The private key of this version is not on this host.', 'Rotate the certificate: a new key is made on the host.', 'Certificate: actions'),
  CSR_MISMATCH: work('validation', 'after-change', 'The CSR is not what was asked for.', 'For a CSR of your own: make it with just what is asked for, or ask for what it says. For one of a bot: start the order again; if it recurs, update the bot.', 'The uploaded CSR, or the order'),
  AUTHORITY_REJECTED: work('authority-rejection', 'after-change', 'The authority refused the request.', 'The message repeats what the authority said.', 'Authority'),
  AUTHORITY_UNREACHABLE: work('network-timeout', 'later', 'The authority could not be reached.', 'Check the connection to the authority; the order is tried again.', 'Authority'),
  ORDER_UNCERTAIN: work('authority-rejection', 'after-change', 'It is unknown whether the authority issued before the connection was lost.', 'Look the request up at the authority, then start the order again or cancel it.', 'Order'),
  AUTHORITY_RATE_LIMITED: work('authority-rejection', 'later', 'The authority takes no more requests for now.', 'Nothing to do: the order goes on at the time in the message. To go on earlier, name a further authority in the configuration.', 'Authority: use'),
  AUTHORITY_BUDGET_SPENT: work('policy', 'later', 'The request would go over a rate limit of the authority, so it was not sent.', 'Nothing to do: the order goes on at the time in the message. To go on earlier, name a further authority in the configuration.', 'Authority: use'),
  AUTHORITY_ACCOUNT_REFUSED: work('authentication', 'after-change', 'The authority does not take the account or its credentials.', 'Correct the credentials of the authority, test it, then start the order again.', 'Authority: credentials'),
  AUTHORITY_TERMS_NOT_AGREED: work('configuration', 'after-change', 'The authority wants its terms of service to be agreed to.', 'Read the terms at the address in the message and agree to them in the fields of the authority.', 'Authority'),
  AUTHORITY_ANSWER_INVALID: work('authority-rejection', 'later', 'What the authority answered can not be understood.', 'It is tried again. If it stays so, check the address of the authority and what stands between.', 'Authority'),
  AUTHORITY_NOT_TRUSTED: work('configuration', 'after-change', 'The TLS certificate of the authority or provider is not trusted.', 'Check the address; for a private one, put its root certificate into the fields.', 'Authority, or DNS provider'),
  ADDRESS_NOT_ALLOWED: work('policy', 'after-change', 'The address leads into a network that outgoing calls may not reach.', 'Check the address; an administrator can allow it with the setting outbound-allow.', 'Settings: outbound-allow'),
  NAME_REFUSED: work('authority-rejection', 'after-change', 'The authority does not issue for this name.', 'Take the name out of the certificate, or choose another authority.', 'Certificate: configuration'),
  PROFILE_REFUSED: work('authority-rejection', 'after-change', 'The authority does not have this profile or product, or not for this request.', 'Choose one of the profiles that the authority names.', 'Certificate: configuration'),
  ORDER_EXPIRED: work('authority-rejection', 'after-change', 'The request ran out at the authority before it was completed.', 'Start the order again.', 'Order'),

  // Proving that names are ours
  VALIDATION_NOT_VISIBLE: work('validation', 'later', 'The proof can not be seen from outside yet.', 'See what each place answered in the validation; it is looked for again by itself.', 'Validation'),
  VALIDATION_REFUSED: work('validation', 'after-change', 'The authority looked for the proof and did not find it.', 'The message has what the authority saw. Mend that, then start the order again.', 'Validation'),
  VALIDATION_EXPIRED: work('validation', 'after-change', 'The proof was not in place in time.', 'Start the order again and place the proof within the time shown.', 'Validation'),
  VALIDATION_METHOD_UNAVAILABLE: work('configuration', 'after-change', 'The authority does not take this way of validation for this name.', 'Choose one of the ways in the message.', 'Certificate: configuration, validation'),
  CAA_FORBIDS: work('policy', 'after-change', 'A CAA record of the domain does not let this authority issue.', 'Add the authority to the CAA record named in the message, or choose another authority.', 'DNS of the domain'),
  DNS_NAME_UNKNOWN: work('validation', 'after-change', 'The name does not exist in DNS, or has no address.', 'Add an A or AAAA record, correct the name, or validate by DNS.', 'DNS of the domain'),
  DNS_LOOKUP_FAILED: work('network-timeout', 'later', 'A DNS server does not answer, or answers with an error.', 'The message names server and answer. Check that server, and DNSSEC where it answers SERVFAIL.', 'DNS of the domain'),
  DNS_SERVERS_DIFFER: work('validation', 'later', 'The authoritative DNS servers of the domain do not give the same answer.', 'Wait until all have the record; if one stays behind, mend the transfer to it.', 'DNS of the domain'),
  DNS_DELEGATION_BROKEN: work('validation', 'after-change', 'The CNAME record that hands the validation on leads nowhere, in a circle or to another place than expected.', 'Correct the CNAME record named in the message.', 'DNS of the domain'),
  DNS_ZONE_NOT_FOUND: work('configuration', 'after-change', 'No configured DNS provider holds the zone of this name.', 'Add the DNS provider of the zone, or point _acme-challenge of the name with a CNAME record to a zone of one that is there.', 'DNS providers'),
  DNS_NAME_NOT_ALLOWED: work('policy', 'after-change', 'Records for validations are not written at this name.', 'Let the CNAME record lead to a name that begins with _acme-challenge, or enter where it leads to in the DNS provider under delegation targets.', 'DNS providers'),
  DNS_PROVIDER_REFUSED: work('authentication', 'after-change', 'The DNS provider does not take the credentials, or they may not change this record.', 'Correct the credentials of the DNS provider; its help names the least rights.', 'DNS providers'),
  DNS_PROVIDER_UNREACHABLE: work('network-timeout', 'later', 'The DNS provider can not be reached, or has no time.', 'It is tried again; check the connection and the status page of the provider.', 'DNS providers'),
  DNS_RECORD_FAILED: work('validation', 'after-change', 'The DNS provider did not write or remove the record.', 'The message has its answer.', 'DNS providers'),
  WEB_PORT_CLOSED: work('network-timeout', 'after-change', 'Nothing answers on the port that the authority looks at.', 'Open the port in the firewall and let a server listen there, or validate by DNS.', 'Firewall, or the server of the domain'),
  WEB_ANSWER_WRONG: work('validation', 'after-change', 'The domain serves something else than the proof at that address.', 'The message says what was seen. Check the folder in the configuration, other servers behind the name, and rules that catch the path.', 'Certificate: configuration, validation'),
  WEB_REDIRECT_WRONG: work('validation', 'after-change', 'The domain redirects to a place where the authority does not follow.', 'Let /.well-known/acme-challenge/ be answered on port 80 itself, or redirect to http or https on the usual ports of a name.', 'The server of the domain'),
  WEB_ADDRESSES_DIFFER: work('validation', 'after-change', 'The addresses of the name do not all answer with the proof; often IPv6 leads to another server.', 'Let every address of the name serve it, or remove the address that does not.', 'DNS of the domain'),
  TOKEN_NOT_WRITTEN: work('validation', 'after-change', 'The bot could not place the file for the validation.', 'Check that the folder is there and that the bot may write it.', 'The host'),
  TOKEN_PORT_TAKEN: work('configuration', 'after-change', 'The bot can not listen on the port for the TLS validation.', 'Let the server on that port hand "acme-tls/1" to another one and name that in the configuration, or choose another way of validation.', 'Certificate: configuration, validation'),
  MAIL_NOT_SENT: work('network-timeout', 'later', 'An e-mail could not be sent.', 'Check the settings for e-mail; the message has the answer of the mail server.', 'Settings: mail'),

  ISSUED_CERTIFICATE_WRONG: work('authority-rejection', 'after-change', 'The authority issued something other than was asked for.', 'Compare the certificate with the order, revoke it, and check the profile at the authority.', 'Order'),
  KEY_ALGORITHM_UNSUPPORTED: work('configuration', 'after-change', 'The authority does not issue for this key algorithm.', 'Choose another key algorithm or authority.', 'Certificate: configuration'),
  ISSUER_EXPIRED: work('configuration', 'after-change', 'The issuing authority certificate is expired or ends too soon.', 'Renew the intermediate of the authority.', 'Authority'),

  ISSUER_NOT_READY: api(409, 'configuration', 'The issuer can not sign: it waits for its certificate, is retired or revoked.', 'Install the signed certificate of one that waits; in place of one that is retired or revoked, make or activate another.', 'Authority: issuers'),
  ISSUER_MISMATCH: api(400, 'input', 'The certificate does not fit the issuer it was given for.', 'The message names what differs: key, name, CA flag, usages or signature.', 'Authority: issuers'),
  PROFILE_VIOLATION: api(400, 'policy', 'The issuance profile does not allow what was asked.', 'Ask for what the profile allows, or choose another profile.', 'Authority: profiles'),
  PKCS11_UNAVAILABLE: work('configuration', 'later', 'The PKCS#11 module or its token can not be used.', 'Check the path of the module, that the token is there, and its slot or label.', 'Settings: PKCS#11'),
  PKCS11_PIN_WRONG: work('authentication', 'after-change', 'The token refused the PIN.', 'Correct the PIN before the token locks itself.', 'Settings: PKCS#11'),
  PKCS11_KEY_NOT_FOUND: work('configuration', 'after-change', 'The key is not on the token.', 'Check label and token; keys are not copied by a backup of the database.', 'The token'),

  // Deployments
  PLAN_FAILED: work('configuration', 'after-change', 'No plan could be made for this target.', 'The message says what is in the way. Nothing was touched.', 'Certificate: deployment details'),
  PLAN_CHANGED: work('conflict', 'after-change', 'The host is no longer as it was when the plan was made.', 'Look at the differences, then deploy again: a new plan is made. Nothing was touched.', 'Deployment: differences'),
  SERVER_NOT_RUNNING: work('configuration', 'after-change', 'The server of this target is not running.', 'Start the server, then deploy again. Nothing was touched.', 'The host'),
  SERVER_CONFIGURATION_UNREADABLE: work('configuration', 'after-change', 'The configuration of the server can not be read or does not pass its own test.', 'Mend what the server says. Nothing was touched.', 'The host'),
  SLOT_NOT_FOUND: work('configuration', 'after-change', 'The server configuration no longer names this certificate file.', 'Scan the host again and choose the place anew. Nothing was touched.', 'Certificate: deployment details'),
  PLACE_UNSUPPORTED: work('configuration', 'after-change', 'Certloop can not replace a certificate in this place.', 'The message says why. Name plain files in the server configuration, or leave this place to what manages it now. Nothing was touched.', 'The host'),
  KEY_MISMATCH: work('configuration', 'never', 'Private key and certificate do not belong together.', 'Give the key that belongs to the certificate, or order the certificate again.', 'The uploaded files, or the order'),
  FOLDER_MISSING: work('configuration', 'after-change', 'The folder where a file has to go is not there.', 'Make the folder with the rights that the reading program needs, or correct the path in the target.', 'The host, or configuration: target'),
  FILE_UNWRITABLE: work('keystore-write', 'after-change', 'A file can not be written.', 'Check owner, mode, read-only mounts and immutable flags of the named file.', 'The host'),
  DISK_FULL: work('keystore-write', 'after-change', 'There is no space left where the file has to go.', 'Make room on the named file system.', 'The host'),
  BACKUP_FAILED: work('keystore-write', 'after-change', 'The backup could not be made, so nothing was touched.', 'Check space and rights of the data folder of the bot.', 'The host of the bot'),
  CONFIG_TEST_FAILED: work('configuration', 'after-change', 'The server does not accept its configuration with the new certificate.', 'Mend what the server says; the output is in the deployment log.', 'Deployment: log'),
  RELOAD_FAILED: work('reload-or-restart', 'after-change', 'The server could not be told to take up the new certificate.', 'The output is in the deployment log; check service and rights.', 'Deployment: log'),
  COMMAND_FAILED: work('configuration', 'after-change', 'A command ended with an error.', 'The output is in the deployment log.', 'Deployment: log'),
  COMMAND_TIMEOUT: work('reload-or-restart', 'after-change', 'A command did not end in time and was stopped.', 'Look for what it waited for; it runs without terminal and with closed standard input.', 'Deployment: log'),
  PROOF_MISMATCH: work('validation', 'after-change', 'Another certificate is served than the one just installed.', 'Look for another server on that port, a proxy in front, or an error in the server\'s log.', 'Deployment: proof'),
  PROOF_NO_ANSWER: work('network-timeout', 'after-change', 'Nothing answered a TLS handshake where the certificate should be served.', 'Check that the server listens there.', 'Deployment: proof'),
  HTTP_CHECK_FAILED: work('validation', 'after-change', 'The HTTP check after the deployment did not show what it should.', 'Call the address in the message from the control plane. Mend the service, or correct the check in the rollout.', 'Configuration: rollout, HTTP check'),
  ROLLOUT_STOPPED: work('conflict', 'after-change', 'The rollout ended before every target was deployed to.', 'The rollout says why, and how each target was left. Mend the cause, then deploy again.', 'Rollout'),
  INTERRUPTED: work('internal', 'later', 'The bot stopped in the middle and undid the deployment when it came back.', 'Deploy again.', 'Certificate: actions'),
  ROLLBACK_FAILED: work('reload-or-restart', 'after-change', 'The deployment failed and could not be undone completely.', 'Act now: the log names what was left. The previous files are in the journal folder of the bot.', 'The host'),
  DEPLOYMENT_CANCELLED: work('conflict', 'after-change', 'A person stopped the deployment, and what it had done was taken back.', 'Mend what made you stop it, then deploy again.', 'Certificate: actions'),
  UNDO_NOT_POSSIBLE: work('conflict', 'after-change', 'The deployment can not be taken back: what it left is no longer there, or what it replaced is not kept any more.', 'Look at the differences. To bring an earlier certificate back, deploy its version again.', 'Certificate: actions'),

  // Reaching a host, and what lies on it
  HOST_UNREACHABLE: work('network-timeout', 'later', 'The host can not be reached, or does not answer in time.', 'Check the address, the port, firewalls between the bot and the host, and that the service runs there.', 'Configuration: target, how it is reached'),
  HOST_KEY_UNKNOWN: work('authentication', 'after-change', 'The key of the host was never confirmed, so it could be anybody.', 'Compare the fingerprint in the message with the one on the host (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then put it into the target.', 'Configuration: target, host key'),
  HOST_KEY_NOT_SEEN: api(409, 'conflict', 'The fingerprint given is not that of the key which the host showed.', 'Read the fingerprint again on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). If it is still another one, somebody may stand between: do not confirm.', 'Certificate: host key to be confirmed'),
  HOST_KEY_CHANGED: work('authentication', 'after-change', 'The host shows another key than the confirmed one: it was set up again, or somebody stands between.', 'Find out why on the host itself. Only then put the new fingerprint into the target.', 'Configuration: target, host key'),
  LOGIN_REFUSED: work('authentication', 'after-change', 'The host refused the login.', 'Check user, password or key, and that this way to log in is allowed there.', 'Configuration: target, how it is reached'),
  PRIVILEGE_REFUSED: work('permission', 'after-change', 'The account may not do this on the host.', 'Give the account the rights that the guide of the server type names, e.g. a line in sudoers.', 'Host: sudoers, file rights'),
  TARGET_SECRETS_UNREADABLE: work('configuration', 'after-change', 'The bot can not open the secrets of the target.', 'Restart the bot so that it tells its present key, then save the target again.', 'Configuration: target'),
  TARGET_OCCUPIED: work('conflict', 'after-change', 'Something that was not put there by this platform is in the way, and the target does not allow overwriting.', 'Look at what is there. Allow overwriting in the target, or choose another place.', 'Configuration: target, overwrite'),
  KEYSTORE_PASSWORD_WRONG: work('keystore-write', 'after-change', 'The password does not open the keystore.', 'Correct the password where the message says: in the target, or in the configuration of the server.', 'Configuration: target, or the server'),
  KEYSTORE_UNREADABLE: work('keystore-write', 'after-change', 'The keystore on the host can not be read.', 'Look at the file with keytool -list; the message says what is wrong.', 'Host: the keystore'),
  ALIAS_NOT_FOUND: work('keystore-write', 'after-change', 'The keystore has no entry of this alias.', 'Choose one of the aliases in the message, or let the target make a new one.', 'Configuration: target, alias'),
  SCRIPT_FAILED: work('reload-or-restart', 'after-change', 'A script before or after the deployment ended with an error.', 'Read its output in the log of the deployment, mend it and deploy again.', 'Deployment: log'),
  MANAGEMENT_REFUSED: work('reload-or-restart', 'after-change', 'The management interface of the server refused the request, or its answer is not the expected one.', 'The message has its answer. Check user, password and role there.', 'The server'),
  TRANSFER_FAILED: work('network-timeout', 'later', 'A file could not be transferred.', 'The message has the answer of the server. Check rights, quota and free space there.', 'The server that takes the files'),

  // Starting up
  PORT_TAKEN: work('configuration', 'after-change', 'The port is used by another program.', 'Choose another with --port, or stop the other program.', 'Settings'),
  DATA_FOLDER_UNWRITABLE: work('configuration', 'after-change', 'The data folder can not be written.', 'Choose another with --data, or mend its rights.', 'Settings'),
  DATA_FOLDER_IN_USE: work('configuration', 'after-change', 'Another process works in this data folder.', 'Stop the other process, or choose another folder with --data.', 'Settings'),
  DATABASE_UNREACHABLE: api(503, 'network-timeout', 'The database can not be reached or refuses the connection.', 'Check that PostgreSQL runs, and DATABASE_URL: host, port, database, user and password.', 'Settings: DATABASE_URL', 'later'),
  SETTINGS_INVALID: work('configuration', 'after-change', 'A setting can not be used.', 'Correct the named setting.', 'Settings'),
  MASTER_KEY_MISSING: work('configuration', 'after-change', 'The master key that sealed the stored secrets is not there, or is another one.', 'Put the master key back from your backup.', 'Settings: master key'),
  SECRET_UNREADABLE: work('internal', 'after-change', 'A stored secret can not be opened.', 'Restore the database from a backup, or enter the secret again.', 'Database'),
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof errorSpecs
export const errorCodes = Object.keys(errorSpecs) as ErrorCode[]

export type ErrorFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** The one error type that crosses borders. `message` gives the particulars; `facts` are shown to users: no secrets. */
export class CertloopError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts
  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super(message, { cause })
    this.name = 'CertloopError'
    this.code = code
    this.facts = facts
  }
  get spec(): ErrorSpec { return errorSpecs[this.code] }
  /** As it is stored with states and sent between processes. */
  toWire(): WireError { return { code: this.code, message: this.message, facts: this.facts } }
}

/** A message that another sentence may follow. */
export const asSentence = (text: string): string => (/[.!?…]$/.test(text.trimEnd()) ? text.trimEnd() : `${text.trimEnd()}.`)

export interface WireError { code: ErrorCode; message: string; facts: ErrorFacts }

/** Any thrown value as a CertloopError; what is not one of ours becomes INTERNAL with its message kept as cause. */
export function toCertloopError(thrown: unknown, fallback: ErrorCode = 'INTERNAL'): CertloopError {
  if (thrown instanceof CertloopError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new CertloopError(fallback, message, {}, thrown)
}

export function fromWire(error: WireError): CertloopError {
  const code = Object.hasOwn(errorSpecs, error.code) ? error.code : 'INTERNAL'
  return new CertloopError(code, error.message, error.facts)
}
