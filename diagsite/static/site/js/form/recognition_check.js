// Marks questions that name a brand while they are typed. The server decides, exactly as it will for the report.

import { checkQuestions } from "../common/api.js";
import { _ } from "../common/config.js";
import { debounce } from "../common/dom.js";
import { setRemark } from "../common/fields.js";
import { joinNames } from "../common/format.js";

const DELAY_MS = 600;

function getRemark(checked) {
  if (checked?.kind !== "recognition") return "";
  return _("这个问题写了{names}，会单独计为“认知”，不计入提及率。", { names: joinNames(checked.named) });
}

export class RecognitionCheck {
  /**
   * `getRequest` returns the request of the form with the rows of its questions, `getInputs` all question fields;
   * `onChecked` gets the number of questions that name a brand, and of all questions.
   */
  constructor({ getRequest, getInputs, onChecked }) {
    Object.assign(this, { getRequest, getInputs, onChecked, lastForm: null, request: null });
    /** Check when the user stops typing. */
    this.schedule = debounce(() => this.check(), DELAY_MS);
  }

  async check() {
    const { body, rows } = this.getRequest();
    const { brand, aliases, questions } = body;
    const competitors = body.competitors.filter(({ name }) => name);
    const form = { brand, aliases, competitors, questions };
    if (this.lastForm === JSON.stringify(form)) return;
    this.lastForm = JSON.stringify(form);
    this.request?.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      this.show(await checkQuestions(form, signal), rows);
    } catch {
      // The next change checks again; the report is right in any case.
      if (!signal.aborted) this.lastForm = null;
    }
  }

  show(checked, rows) {
    const byRow = new Map(rows.questions.map((row, index) => [row, checked[index]]));
    this.getInputs().forEach((input, row) => setRemark(input, getRemark(byRow.get(row))));
    this.onChecked(checked.filter(({ kind }) => kind === "recognition").length, checked.length);
  }
}
