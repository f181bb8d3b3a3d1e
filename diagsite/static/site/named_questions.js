// Tells at a question, while it is typed, that it names a brand: as the report will count it, so the server is asked.

import { checkQuestions } from "./api.js";
import { _ } from "./config.js";
import { debounced } from "./dom.js";
import { setRemark } from "./fields.js";
import { listed } from "./format.js";

const QUIET_MS = 600;

function remarkOf({ kind, named }) {
  if (kind !== "recognition") return "";
  return _("这个问题写了{names}，会单独计为“认知”，不计入提及率。", { names: listed(named) });
}

export class NamedQuestions {
  /** `read` gives the form as it would be sent, with `rows`; `inputOf` the field of a row; `onKnown` gets how many name a brand. */
  constructor({ read, inputOf, onKnown }) {
    Object.assign(this, { read, inputOf, onKnown, asked: null, running: null });
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
    checked.forEach((one, index) => {
      const input = this.inputOf(rows.questions[index]);
      if (input) setRemark(input, remarkOf(one));
    });
    this.onKnown(checked.filter(({ kind }) => kind === "recognition").length, checked.length);
  }
}
