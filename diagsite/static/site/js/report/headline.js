// The report in one sentence, and out of how many answers it speaks.

import { _ } from "../common/config.js";
import { listed, number, percent } from "../common/format.js";

function overlaps(a, b) {
  return a.mention_rate_low <= b.mention_rate_high && b.mention_rate_low <= a.mention_rate_high;
}

function comparison(own, rivals) {
  const best = Math.max(...rivals.map((rival) => rival.figures.mention_rate));
  const leaders = rivals.filter((rival) => rival.figures.mention_rate === best);
  const values = { rivals: listed(leaders.map((rival) => rival.name)), rate: percent(best) };
  if (best === 0 && own.figures.mention_rate > 0) return _("竞品都没有被提到");
  if (own.figures.mention_rate === best) return _("与{rivals}持平", values);
  if (leaders.some((rival) => overlaps(own.figures, rival.figures))) {
    return own.figures.mention_rate > best
      ? _("略高于{rivals}（{rate}），但样本还不足以分出高下", values)
      : _("略低于{rivals}（{rate}），但样本还不足以分出高下", values);
  }
  return own.figures.mention_rate > best ? _("明显高于{rivals}（{rate}）", values) : _("明显低于{rivals}（{rate}）", values);
}

/** The report in one sentence. */
export function headline(report) {
  const own = report.brands.find((brand) => brand.is_own);
  const rivals = report.brands.filter((brand) => !brand.is_own);
  if (!own && report.valid) return _("回答已经存好，但这一次没能算出数字。");
  if (report.recognition && !report.unbranded.planned) return _("每个问题都写了品牌名，测不出提及率。");
  if (!own?.figures.valid) return _("这一次没有得到可用的回答，还不能下结论。");
  const values = { brand: own.name, rate: percent(own.figures.mention_rate), valid: number(own.figures.valid) };
  if (!own.figures.mentions && !rivals.some((rival) => rival.figures.mentions)) {
    return _("{valid} 条有效回答里，没有一条提到“{brand}”，也没有提到竞品。", values);
  }
  if (!rivals.length) return _("“{brand}”出现在 {rate} 的 AI 回答里。", values);
  return _("“{brand}”出现在 {rate} 的 AI 回答里，{comparison}。", { ...values, comparison: comparison(own, rivals) });
}

/** `18 / 20 有效 · 1 条失败 · 1 条被过滤` */
export function coverage({ valid, planned, failed, filtered }) {
  const parts = [_("{valid} / {planned} 有效", { valid: number(valid), planned: number(planned) })];
  if (failed) parts.push(_("{n} 条失败", { n: number(failed) }));
  if (filtered) parts.push(_("{n} 条被过滤", { n: number(filtered) }));
  return parts.join(" · ");
}
