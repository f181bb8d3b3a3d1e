/** A stored diagnosis as a line of a list. */
'use strict';

const { _ } = require('./words');
const { isRunning, moment, number, statusName } = require('./format');

/** @param {any} diagnosis */
function figures(diagnosis) {
  if (isRunning(diagnosis.status)) return _('进度 {percent}%', { percent: Math.floor(diagnosis.percent || 0) });
  return _('{valid} / {planned} 有效', { valid: number(diagnosis.valid), planned: number(diagnosis.planned) });
}

/** @param {any} diagnosis */
const diagnosisItem = (diagnosis) => ({
  id: diagnosis.id,
  brand: diagnosis.brand,
  demo: diagnosis.demo ? _('演示') : '',
  status: diagnosis.status,
  statusName: statusName(diagnosis.status),
  when: moment(diagnosis.created_at),
  figures: figures(diagnosis),
});

module.exports = { diagnosisItem };
