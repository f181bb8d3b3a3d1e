/** The calls of the HTTP API that only the report makes. */
'use strict';

/** @param {any} api  of services/api.js */
function createReportApi(api) {
  /** @type {(id: string, rest: string) => string} */
  const path = (id, rest) => `/api/diagnoses/${encodeURIComponent(id)}/${rest}`;
  return {
    listCorrections: (/** @type {string} */ id) => api.get(path(id, 'corrections')),
    /** The last correction of a mention counts, so a repeated call is safe. */
    correct: (/** @type {string} */ id, /** @type {any} */ correction) => api.send('POST', path(id, 'corrections'), correction),
    undoCorrection: (/** @type {string} */ id, /** @type {string} */ correction) => api.send('DELETE', path(id, `corrections/${correction}`)),
    addCompetitor: (/** @type {string} */ id, /** @type {string} */ name) => api.send('POST', path(id, 'competitors'), { name }),
    removeCompetitor: (/** @type {string} */ id, /** @type {string} */ name) => api.send('DELETE', path(id, `competitors/${encodeURIComponent(name)}`)),
    listSources: (/** @type {string} */ id, /** @type {any} */ filters) => api.get(path(id, 'sources'), filters),
    getTrend: (/** @type {string} */ id, /** @type {string} */ surface) => api.get(path(id, 'trend'), { surface }),
    listShares: (/** @type {string} */ id) => api.get(path(id, 'shares')),
    createShare: (/** @type {string} */ id, /** @type {number} */ days) => api.send('POST', path(id, 'shares'), { days }),
    revokeShare: (/** @type {string} */ id, /** @type {string} */ share) => api.send('DELETE', path(id, `shares/${share}`)),
    preparePrint: (/** @type {string} */ id) => api.send('POST', path(id, 'print')),
    listSchedules: () => api.get('/api/schedules'),
    estimateSchedule: (/** @type {any} */ body) => api.send('POST', '/api/schedules/estimate', body),
    createSchedule: (/** @type {any} */ body) => api.send('POST', '/api/schedules', body),
    changeSchedule: (/** @type {string} */ id, /** @type {'pause' | 'resume'} */ change) => api.send('POST', `/api/schedules/${id}/${change}`),
    deleteSchedule: (/** @type {string} */ id) => api.send('DELETE', `/api/schedules/${id}`),
  };
}

module.exports = { createReportApi };
