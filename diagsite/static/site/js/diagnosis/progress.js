// The progress card: a bar that never goes back, the stage, the counts and the remaining time.

import { _ } from "../common/config.js";
import { byId, setText } from "../common/dom.js";
import { number, statusLabel } from "../common/format.js";
import { timeLeft, updateEnd } from "./texts.js";

const sum = ({ valid = 0, failed = 0, filtered = 0 }) => valid + failed + filtered;

export class Progress {
  constructor() {
    this.percent = 0;
    this.done = 0;
    this.stage = null;
    this.endsAt = null;
    this.timer = null;
  }

  /** Draw a view of the presenter, or a stored diagnosis; return whether the stage is new. */
  draw(view) {
    const counts = view.counts || view;
    this.percent = Math.max(this.percent, Math.floor(view.percent || 0));
    // A log that is read again from its start must not make the counts go back.
    if (sum(counts) >= this.done) this.drawCounts(counts);
    this.done = Math.max(this.done, view.done ?? 0, sum(counts));
    this.drawBar(this.done, view.planned);
    this.startCountdown(view.etaSeconds ?? view.eta_s);
    const isNew = Boolean(view.stage) && view.stage !== this.stage;
    this.stage = view.stage || this.stage;
    setText(byId("stage"), statusLabel(this.stage || "queued"));
    return isNew;
  }

  drawBar(done, planned) {
    const bar = byId("bar");
    bar.setAttribute("aria-valuenow", String(this.percent));
    bar.setAttribute("aria-valuetext", _("{percent}%，已完成 {done} / {planned}", { percent: this.percent, done, planned }));
    byId("bar-value").style.width = `${this.percent}%`;
    setText(byId("percent"), `${this.percent}%`);
    setText(byId("done"), _("已完成 {done} / {planned}", { done: number(done), planned: number(planned || 0) }));
  }

  drawCounts({ valid = 0, failed = 0, filtered = 0 }) {
    setText(byId("count-valid"), number(valid));
    setText(byId("count-failed"), number(failed));
    setText(byId("count-filtered"), number(filtered));
    byId("failed-part").hidden = failed === 0;
    byId("filtered-part").hidden = filtered === 0;
  }

  /** Count the remaining time down between two events; it never increases. */
  startCountdown(seconds) {
    this.endsAt = updateEnd(this.endsAt, seconds, Date.now());
    clearInterval(this.timer);
    this.timer = setInterval(() => this.drawTimeLeft(), 1000);
    this.drawTimeLeft();
  }

  drawTimeLeft() {
    setText(byId("time-left"), timeLeft(this.endsAt === null ? null : (this.endsAt - Date.now()) / 1000, this.percent));
    if (byId("progress").hidden) clearInterval(this.timer);
  }
}
