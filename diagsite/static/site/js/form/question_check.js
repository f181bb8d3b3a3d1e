// Tells at a question, while it is typed, that it names a brand: as the report will count it, so the server is asked.

import { checkQuestions } from "../common/api.js";
import { _ } from "../common/config.js";
import { debounced } from "../common/dom.js";
import { setRemark } from "../common/fields.js";
import { listed } from "../common/format.js";

const QUIET_MS = 600;

function remarkOf(checked) {
  if (checked?.kind !== "recognition") return "";
  const { named } = checked;
  return _("这个问题写了{names}，会单独计为“认知”，不计入提及率。", { names: listed(named) });
}

export class NamedQuestions {
  /** `read` gives the form as it would be sent, with `rows`; `inputs` all fields; `onKnown` gets how many name a brand. */
  constructor({ read, inputs, onKnown }) {
    Object.assign(this, { read, inputs, onKnown, asked: null, running: null });
    this.later = debounced(() => this.check(), QUIET_MS);
  }

  /** Asks when the typing rests, and only when something that matters has changed. */
  async check() {
    const { body, rows } = this.read();
    const { brand, aliases, questions } = body;
    const competitors = body.competitors.filter(({ name }) => name);
    const form = { brand, aliases, competitors, questions };
    if (this.asked === JSON.stringify(form)) return;
    this.asked = JSON.stringify(form);
    this.running?.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    try {
      this.show(await checkQuestions(form, signal), rows);
    } catch {
      // What cannot be checked now is checked with the next change; the report counts right in any case.
      if (!signal.aborted) this.asked = null;
    }
  }

  show(checked, rows) {
    const ofRow = new Map(rows.questions.map((row, index) => [row, checked[index]]));
    this.inputs().forEach((input, row) => setRemark(input, remarkOf(ofRow.get(row))));
    this.onKnown(checked.filter(({ kind }) => kind === "recognition").length, checked.length);
  }
}
