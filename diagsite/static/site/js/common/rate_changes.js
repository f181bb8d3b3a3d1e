// The change of a rate between two diagnoses: significant only when its interval excludes 0.

import { config, _ } from "./config.js";
import { h } from "./dom.js";
import { percent, surfaceLabel } from "./format.js";

const signedNumbers = new Intl.NumberFormat(config.language, { maximumFractionDigits: 0, signDisplay: "exceptZero" });

const toPoints = (difference) => signedNumbers.format(difference * 100);

const LABELS = { up: _("上升"), down: _("下降"), none: _("无显著变化") };
const SIGNS = { up: "▲", down: "▼", none: "＝" };

/** `▲ 上升`: the sign and the label say it, not the colour alone. */
export function changeChip({ changed, counted_differently: isCounted, measured_differently: isMeasured }) {
  if (isMeasured) return h("span", { class: "chip change", "data-changed": "none" }, _("测法不同"));
  if (isCounted) return h("span", { class: "chip change", "data-changed": "none" }, _("口径不同"));
  return h("span", { class: "chip change", "data-changed": changed }, h("span", { "aria-hidden": "true" }, SIGNS[changed]), ` ${LABELS[changed]}`);
}

/** `+24 个百分点（区间 +8 至 +40）` */
export function changeText({ difference, low, high, counted_differently: isCounted, measured_differently: isMeasured }) {
  if (isMeasured) return _("平台的模型、参数或测量方式变了，不能当作品牌的变化");
  if (isCounted) return _("两次的别名、更正、评估或识别规则不同，不能直接比较");
  if (difference === null) return _("没有共同的有效回答，无法比较");
  return _("{d} 个百分点（区间 {low} 至 {high}）", { d: toPoints(difference), low: toPoints(low), high: toPoints(high) });
}

/** `12% → 36%`, over the questions and platforms that both diagnoses have. */
export function ratesText({ before, after }) {
  return `${percent(before)} → ${percent(after)}`;
}

const ASPECTS = { surface: _("测量方式"), protocol: _("协议"), requested_model: _("请求的模型"), model: _("平台回复中的模型"), parameters: _("参数") };

/** `DeepSeek：请求的模型 a → b`, for each way in which a platform was asked differently. */
export function breakTexts(breaks) {
  return breaks.map(({ name, what, before, after }) => {
    if (what === "parameters") return _("{platform}：参数变了", { platform: name });
    const show = (values) => values.map((value) => (what === "surface" ? surfaceLabel(value) : value)).join("、");
    return _("{platform}：{what} {before} → {after}", { platform: name, what: ASPECTS[what], before: show(before), after: show(after) });
  });
}

/** Fill a fieldset with radio buttons for the surfaces; hidden with one. `onSelect` gets the surface. */
export function drawSurfaceSwitch(fieldset, { surface, surfaces }, onSelect) {
  fieldset.querySelector(".segments").replaceChildren(
    ...surfaces.map((one) => {
      const radio = h("input", { type: "radio", name: `${fieldset.id}-surface`, value: one });
      radio.checked = one === surface;
      return h("label", { class: "segment" }, radio, h("span", {}, surfaceLabel(one)));
    }),
  );
  fieldset.hidden = surfaces.length < 2;
  fieldset.onchange = (event) => onSelect(event.target.value);
}
