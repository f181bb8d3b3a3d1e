/** A stored diagnosis as an item of a list. */
'use strict';

const { dateTime } = require('./dates');
const { isRunning, number, statusLabel } = require('./format');
const { _ } = require('./i18n');

/** @param {any} diagnosis */
const diagnosisItem = (diagnosis) => ({
  id: diagnosis.id,
  brand: diagnosis.brand,
  demo: diagnosis.demo ? _('演示') : '',
  status: diagnosis.status,
  statusLabel: statusLabel(diagnosis.status),
  createdAt: dateTime(diagnosis.created_at),
  counts: isRunning(diagnosis.status)
    ? _('进度 {percent}%', { percent: Math.floor(diagnosis.percent || 0) })
    : _('{valid} / {planned} 有效', { valid: number(diagnosis.valid), planned: number(diagnosis.planned) }),
});

module.exports = { diagnosisItem };
