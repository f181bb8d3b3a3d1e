// The progress card: a bar that never goes back, the stage, what is done, the time left.

import { _ } from "../common/config.js";
import { byId, setText } from "../common/dom.js";
import { about, number, statusName } from "../common/format.js";

const NEARLY_DONE = 90;

export class Progress {
  constructor() {
    this.percent = 0;
    this.done = 0;
    this.stage = null;
    this.endsAt = null;
    this.timer = null;
  }

  /** Draws a view of the presenter, or a diagnosis as stored; true when the stage is a new one. */
  draw(view) {
    const counts = view.counts || view;
    this.percent = Math.max(this.percent, Math.floor(view.percent || 0));
    // A log that is read again from its start must not make the page go back.
    if (sum(counts) >= this.done) this.drawCounts(counts);
    this.done = Math.max(this.done, view.done ?? 0, sum(counts));
    this.drawBar(this.done, view.planned);
    this.expect(view.etaSeconds);
    const isNew = Boolean(view.stage) && view.stage !== this.stage;
    this.stage = view.stage || this.stage;
    setText(byId("stage"), statusName(this.stage || "queued"));
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

  // Between two events the time left runs down by itself.
  expect(seconds) {
    if (seconds === null || seconds === undefined) return;
    this.endsAt = Date.now() + seconds * 1000;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.drawTimeLeft(), 1000);
    this.drawTimeLeft();
  }

  drawTimeLeft() {
    const seconds = (this.endsAt - Date.now()) / 1000;
    const soon = this.percent >= NEARLY_DONE ? _("即将完成") : _("还需要一会儿");
    setText(byId("time-left"), seconds > 1 ? _("还需约 {time}", { time: about(seconds) }) : soon);
    if (byId("progress").hidden) clearInterval(this.timer);
  }
}

const sum = ({ valid = 0, failed = 0, filtered = 0 }) => valid + failed + filtered;
