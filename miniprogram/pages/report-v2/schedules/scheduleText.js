/** The recurrence, the cost and the state of a schedule as text. */
'use strict';

const { dateTime } = require('../../../presentation/dates');
const { joinNames, money, number, roundedDuration, skipReasonLabel } = require('../../../presentation/format');
const { _ } = require('../../../presentation/i18n');

const weekdayNames = () => [_('周一'), _('周二'), _('周三'), _('周四'), _('周五'), _('周六'), _('周日')];

/** `{calls, money}` of one run, or of at most `runs` runs. @type {(cost: any, runs?: number) => string} */
function costText(cost, runs) {
  const values = { calls: number(cost.calls), money: money(Number(cost.money)) };
  if (runs === undefined) return _('{calls} 次调用，{money}', values);
  return _('{calls} 次调用，{money}（最多 {n} 次运行）', Object.assign(values, { n: runs }));
}

/** @param {any} schedule */
function recurrenceText({ every, weekday, day, time }) {
  const timeText = time.slice(0, 5);
  if (every === 'daily') return _('每天 {time}', { time: timeText });
  if (every === 'weekly') return _('每{weekday} {time}', { weekday: weekdayNames()[weekday], time: timeText });
  return _('每月 {day} 日 {time}', { day, time: timeText });
}

/** Why the last run was skipped, or the next one would be. @param {any} schedule */
function warningText(schedule) {
  if (schedule.is_paused) return '';
  if (schedule.slot_at) return _('还没有运行：{why}。会一直重试到 {until}。', { why: skipReasonLabel(schedule.wait_reason), until: dateTime(schedule.retry_until) });
  if (schedule.skip_reason) return `${dateTime(schedule.skipped_at)} ${_('没有运行：{why}', { why: skipReasonLabel(schedule.skip_reason) })}`;
  return schedule.estimate.refused ? _('按现在的情况，下一次会跳过：{why}', { why: skipReasonLabel(schedule.estimate.refused) }) : '';
}

/** @param {any} schedule */
function buildSchedule(schedule) {
  const { questions, platforms, repeats, estimate } = schedule;
  const spent = _('{spent} / {most} 次调用，{money} / {budget}', {
    spent: number(estimate.spent.calls), most: number(schedule.budget_calls), money: money(Number(estimate.spent.money)), budget: money(Number(schedule.budget_money)),
  });
  return {
    id: schedule.id,
    brand: schedule.brand,
    demo: schedule.demo,
    isPaused: schedule.is_paused,
    size: _('{q} 个问题 × {p} 个平台 × {r} 次', { q: questions.length, p: platforms.length, r: repeats }),
    facts: [
      { name: _('周期'), value: recurrenceText(schedule) },
      { name: schedule.slot_at ? _('下一次重试') : _('下一次'), value: schedule.is_paused ? '–' : dateTime(schedule.next_at) },
      { name: _('本月用了'), value: spent },
      { name: _('每次'), value: costText(estimate.run) },
    ],
    lastDiagnosis: schedule.last_diagnosis || '',
    warning: warningText(schedule),
  };
}

/** What a new schedule would cost, and whether its budget covers that. @param {any} estimate */
function buildEstimate(estimate) {
  const duration = estimate.seconds === null ? '' : ` · ${_('约 {time}', { time: roundedDuration(estimate.seconds) })}`;
  const oneRun = _('预算够运行一次，但不够一个月里的每一次；不够时会跳过并告诉您。');
  const covered = estimate.carries_month ? _('预算够一个月里的每一次。') : oneRun;
  return {
    facts: [
      { name: _('每次'), value: costText(estimate.run) + duration },
      { name: _('每月'), value: costText(estimate.month, estimate.runs) },
      { name: _('第一次'), value: dateTime(estimate.next_at) },
    ].concat(
      estimate.unavailable.map((/** @type {any} */ { name, reason }) => ({ name: _('现在不能询问'), value: _('{name}：{reason}', { name, reason }) })),
      estimate.unpriced.length ? [{ name: _('没有填价格的平台'), value: joinNames(estimate.unpriced) }] : [],
    ),
    budget: estimate.refused ? skipReasonLabel(estimate.refused) : covered,
    isRefused: Boolean(estimate.refused),
  };
}

module.exports = { buildEstimate, buildSchedule, weekdayNames };
