import { Type } from 'typebox'
import { batchItemStates, batchStates, bulkItemStates, rolloutStates } from '../states.ts'
import { idText, literals } from '../text.ts'
import * as l from './lifecycle-resources.ts'
import { byId, list, op, page, query } from './operation.ts'
import * as r from './resources.ts'

const strict = { additionalProperties: false } as const
const template = byId({ id: idText('tpl') })
const freeze = byId({ id: idText('frz') })
const rollout = byId({ id: idText('rol') })
const batch = byId({ id: idText('bat') })
const bulk = byId({ id: idText('blk') })

/** CSR templates, freeze periods, rollouts, and work on many certificates. */
export const lifecycleOperations = {
  checkConfiguration: op({ method: 'POST', path: '/certificates/{id}/configuration/checks', access: 'certificate:read', tag: 'certificates', summary: 'What is wrong with a configuration, step by step, without saving it; with the next five runs of its schedule', params: byId({ id: idText('crt') }), body: r.ConfigurationInput, response: r.ConfigurationCheck, status: 200 }),
  cancelAction: op({ method: 'POST', path: '/actions/{id}/actions/cancel', access: 'certificate:order', tag: 'certificates', summary: 'End an action: what was not begun is cancelled, what a bot works on is stopped and taken back', params: byId({ id: idText('act') }), response: r.Action, status: 202 }),
  undoDeployment: op({ method: 'POST', path: '/deployments/{id}/actions/undo', access: 'certificate:deploy', tag: 'deployments', summary: 'Put back what was there before a deployment; answers with the deployment that does so', params: byId({ id: idText('dep') }), response: r.DeploymentDetail, status: 202 }),
  retryDeployment: op({ method: 'POST', path: '/deployments/{id}/actions/retry', access: 'certificate:deploy', tag: 'deployments', summary: 'Deploy the same version to the same target again', params: byId({ id: idText('dep') }), response: r.Action, status: 202 }),

  listCsrTemplates: op({ method: 'GET', path: '/csr-templates', access: 'template:read', tag: 'CSR templates', summary: 'CSR templates', response: list(l.CsrTemplate), status: 200 }),
  createCsrTemplate: op({ method: 'POST', path: '/csr-templates', access: 'template:write', tag: 'CSR templates', summary: 'Make a CSR template', body: l.CsrTemplateInput, response: l.CsrTemplate, status: 201 }),
  getCsrTemplate: op({ method: 'GET', path: '/csr-templates/{id}', access: 'template:read', tag: 'CSR templates', summary: 'One CSR template with its versions, newest first', params: template, response: Type.Object({ template: l.CsrTemplate, versions: Type.Array(l.CsrTemplateVersion) }, strict), status: 200 }),
  updateCsrTemplate: op({ method: 'PUT', path: '/csr-templates/{id}', access: 'template:write', tag: 'CSR templates', summary: 'Change a CSR template; the earlier version is kept', params: template, body: Type.Object({ ...l.CsrTemplateInput.properties, version: Type.Integer({ minimum: 1, description: 'As it was read' }) }, strict), response: l.CsrTemplate, status: 200 }),
  deleteCsrTemplate: op({ method: 'DELETE', path: '/csr-templates/{id}', access: 'template:write', tag: 'CSR templates', summary: 'Delete a CSR template that no configuration names', params: template, response: null, status: 204 }),

  listFreezes: op({ method: 'GET', path: '/freezes', access: 'freeze:read', tag: 'freeze periods', summary: 'Freeze periods of the whole platform', response: list(l.Freeze), status: 200 }),
  createFreeze: op({ method: 'POST', path: '/freezes', access: 'freeze:write', tag: 'freeze periods', summary: 'Let nothing be deployed by itself for a time', body: l.FreezeInput, response: l.Freeze, status: 201 }),
  updateFreeze: op({ method: 'PUT', path: '/freezes/{id}', access: 'freeze:write', tag: 'freeze periods', summary: 'Change a freeze period', params: freeze, body: l.FreezeInput, response: l.Freeze, status: 200 }),
  deleteFreeze: op({ method: 'DELETE', path: '/freezes/{id}', access: 'freeze:write', tag: 'freeze periods', summary: 'Delete a freeze period; what waited for its end goes on', params: freeze, response: null, status: 204 }),

  listRollouts: op({ method: 'GET', path: '/rollouts', access: 'deployment:read', tag: 'rollouts', summary: 'Rollouts, newest first', query: query({ state: Type.Optional(literals(rolloutStates)), certificateId: Type.Optional(idText('crt')) }), response: page(l.Rollout), status: 200 }),
  getRollout: op({ method: 'GET', path: '/rollouts/{id}', access: 'deployment:read', tag: 'rollouts', summary: 'One rollout with its targets', params: rollout, response: l.Rollout, status: 200 }),
  pauseRollout: op({ method: 'POST', path: '/rollouts/{id}/actions/pause', access: 'deployment:approve', tag: 'rollouts', summary: 'Begin no further wave; what is under way ends', params: rollout, response: l.Rollout, status: 200 }),
  resumeRollout: op({ method: 'POST', path: '/rollouts/{id}/actions/resume', access: 'deployment:approve', tag: 'rollouts', summary: 'Go on with a paused rollout, or past the approval after its first wave', params: rollout, response: l.Rollout, status: 200 }),
  stopRollout: op({ method: 'POST', path: '/rollouts/{id}/actions/stop', access: 'deployment:approve', tag: 'rollouts', summary: 'End a rollout where it is', params: rollout, response: l.Rollout, status: 200 }),
  undoRollout: op({ method: 'POST', path: '/rollouts/{id}/actions/undo', access: 'deployment:approve', tag: 'rollouts', summary: 'Take back everything that a rollout has deployed', params: rollout, response: l.Rollout, status: 202 }),

  createBulkChange: op({ method: 'POST', path: '/bulk-changes', access: 'certificate:write', tag: 'many certificates', summary: 'Work out what one set of settings would change on many certificates; nothing is changed yet', body: l.BulkChangeInput, response: l.BulkChange, status: 202 }),
  listBulkChanges: op({ method: 'GET', path: '/bulk-changes', access: 'certificate:read', tag: 'many certificates', summary: 'Changes of many configurations, newest first', query: query({}), response: page(l.BulkChange), status: 200 }),
  getBulkChange: op({ method: 'GET', path: '/bulk-changes/{id}', access: 'certificate:read', tag: 'many certificates', summary: 'How a change of many configurations is doing', params: bulk, response: l.BulkChange, status: 200 }),
  listBulkItems: op({ method: 'GET', path: '/bulk-changes/{id}/items', access: 'certificate:read', tag: 'many certificates', summary: 'What changes with each certificate, and what does not fit', params: bulk, query: query({ state: Type.Optional(literals(bulkItemStates)) }), response: page(l.BulkItem), status: 200 }),
  applyBulkChange: op({ method: 'POST', path: '/bulk-changes/{id}/actions/apply', access: 'certificate:write', tag: 'many certificates', summary: 'Make the change that was previewed; certificates with conflicts are left alone', params: bulk, response: l.BulkChange, status: 202 }),
  undoBulkChange: op({ method: 'POST', path: '/bulk-changes/{id}/actions/undo', access: 'certificate:write', tag: 'many certificates', summary: 'Give every certificate its earlier configuration back, unless somebody has changed it since', params: bulk, response: l.BulkChange, status: 202 }),
  discardBulkChange: op({ method: 'POST', path: '/bulk-changes/{id}/actions/discard', access: 'certificate:write', tag: 'many certificates', summary: 'Drop a preview', params: bulk, response: l.BulkChange, status: 200 }),

  createBatch: op({ method: 'POST', path: '/batches', access: 'certificate:read', tag: 'many certificates', summary: 'Start one action on many certificates', body: l.BatchInput, response: l.Batch, status: 202 }),
  listBatches: op({ method: 'GET', path: '/batches', access: 'certificate:read', tag: 'many certificates', summary: 'Batches, newest first', query: query({ state: Type.Optional(literals(batchStates)) }), response: page(l.Batch), status: 200 }),
  getBatch: op({ method: 'GET', path: '/batches/{id}', access: 'certificate:read', tag: 'many certificates', summary: 'How a batch is doing', params: batch, response: l.Batch, status: 200 }),
  listBatchItems: op({ method: 'GET', path: '/batches/{id}/items', access: 'certificate:read', tag: 'many certificates', summary: 'The outcome for each certificate', params: batch, query: query({ state: Type.Optional(literals(batchItemStates)) }), response: page(l.BatchItem), status: 200 }),
  pauseBatch: op({ method: 'POST', path: '/batches/{id}/actions/pause', access: 'certificate:read', tag: 'many certificates', summary: 'Start nothing further; what is under way ends. Needs the permissions of the action', params: batch, response: l.Batch, status: 200 }),
  resumeBatch: op({ method: 'POST', path: '/batches/{id}/actions/resume', access: 'certificate:read', tag: 'many certificates', summary: 'Go on with a paused batch', params: batch, response: l.Batch, status: 200 }),
  cancelBatch: op({ method: 'POST', path: '/batches/{id}/actions/cancel', access: 'certificate:read', tag: 'many certificates', summary: 'End a batch: what was not begun is left alone, what is under way ends', params: batch, response: l.Batch, status: 202 }),
  retryBatch: op({ method: 'POST', path: '/batches/{id}/actions/retry', access: 'certificate:read', tag: 'many certificates', summary: 'Start again what failed or was refused', params: batch, response: l.Batch, status: 202 }),
} as const
