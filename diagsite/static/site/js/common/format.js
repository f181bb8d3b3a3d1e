// Numbers, durations and labels as text, shared with the mini-program; dates and times as the browser writes them.

import { config, i18n } from "./config.js";

export const {
  percent,
  interval,
  number,
  money,
  joinNames,
  duration,
  roundedDuration,
  isRunning,
  statusLabel,
  answerStateLabel,
  skipReasonLabel,
} = window.diag.createFormat(i18n);

const dateTimes = new Intl.DateTimeFormat(config.language, { dateStyle: "medium", timeStyle: "short" });
const times = new Intl.DateTimeFormat(config.language, { timeStyle: "short" });

export const dateTimeText = (iso) => dateTimes.format(new Date(iso));

export const timeOfDay = (iso) => times.format(new Date(iso));
