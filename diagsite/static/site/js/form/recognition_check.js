// Marks questions that name a brand while they are typed. The server decides, exactly as it will for the report; where a
// name may be an ordinary word, it asks the user.

import { checkQuestions } from "../common/api.js";
import { _ } from "../common/config.js";
import { debounce, h } from "../common/dom.js";
import { setRemark } from "../common/fields.js";
import { joinNames } from "../common/format.js";

const DELAY_MS = 600;

function getRemark(checked) {
  if (checked?.kind !== "recognition") return "";
  return _("这个问题写了{names}，会单独计为“认知”，不计入提及率。", { names: joinNames(checked.named) });
}

/** Return the question to the user whether the question is about the brand. */
function buildChoice(names, isChecked, onChange) {
  const box = h("input", { type: "checkbox", checked: isChecked, onchange: () => onChange(box.checked) });
  const text = _("“{names}”也是普通的词。这个问题问的是这个品牌（会单独计为“认知”）", { names: joinNames(names) });
  return h("label", { class: "brand-choice" }, box, text);
}

export class RecognitionCheck {
  /**
   * `getRequest` returns the request of the form with the rows of its questions, `getInputs` all question fields;
   * `onChecked` gets the number of questions that name a brand, and of all questions.
   */
  constructor({ getRequest, getInputs, onChecked }) {
    Object.assign(this, { getRequest, getInputs, onChecked, lastForm: null, request: null });
    this.aboutBrand = new Set(); // texts of questions that are about the brand, as the user says
    this.checked = new Map(); // by text
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
    this.checked.clear();
    this.getInputs().forEach((input, row) => {
      setRemark(input, getRemark(byRow.get(row)));
      this.checked.set(input.value.trim(), byRow.get(row));
      this.showChoice(input, byRow.get(row)?.uncertain || []);
    });
    this.reportCount();
  }

  showChoice(input, names) {
    input.closest(".field").querySelector(".brand-choice")?.remove();
    if (!names.length) return;
    const text = input.value.trim();
    const handleChange = (isChecked) => {
      if (isChecked) this.aboutBrand.add(text);
      else this.aboutBrand.delete(text);
      this.reportCount();
    };
    input.closest(".field").append(buildChoice(names, this.aboutBrand.has(text), handleChange));
  }

  isAboutBrand(text) {
    const checked = this.checked.get(text);
    return checked?.kind === "recognition" || (this.aboutBrand.has(text) && checked?.uncertain.length > 0);
  }

  reportCount() {
    const texts = [...this.checked].filter(([, checked]) => checked).map(([text]) => text);
    this.onChecked(texts.filter((text) => this.isAboutBrand(text)).length, texts.length);
  }

  /** Return the indices of the sent questions that the user says are about the brand. */
  getQuestionsAboutBrand(questions) {
    return questions.flatMap((text, index) => (this.aboutBrand.has(text) && this.isAboutBrand(text) ? [index] : []));
  }
}
