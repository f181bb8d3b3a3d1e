// Numbers, durations and labels as text, shared with the mini-program; dates and times as the browser writes them.

import { config, i18n, _ } from "./config.js";
import { sourceLabels } from "./source_labels.js";

export const {
  percent,
  interval,
  number,
  money,
  costText,
  joinNames,
  duration,
  roundedDuration,
  isRunning,
  statusLabel,
  answerStateLabel,
  skipReasonLabel,
  surfaceLabel,
} = window.diag.createFormat(i18n);

export const siteKindLabel = (kind) => sourceLabels[config.language].siteKinds[kind] || kind;

const dateTimes = new Intl.DateTimeFormat(config.language, { dateStyle: "medium", timeStyle: "short" });
const times = new Intl.DateTimeFormat(config.language, { timeStyle: "short" });

export const dateTimeText = (iso) => dateTimes.format(new Date(iso));

/** In a named zone, which need not be the user's, with its name. */
export function zonedTimeText(iso, zone) {
  const text = new Intl.DateTimeFormat(config.language, { dateStyle: "medium", timeStyle: "short", timeZone: zone }).format(new Date(iso));
  return _("{time}（{zone}）", { time: text, zone });
}

export const timeOfDay = (iso) => times.format(new Date(iso));
