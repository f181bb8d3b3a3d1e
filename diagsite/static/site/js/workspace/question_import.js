// The import of questions: pasted lines or a file get a verdict for every line, and are stored only when the user agrees.

import { _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { setError } from "../common/fields.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { importQuestions, previewImport } from "./api.js";
import { workspaceId } from "./page.js";

const MAX_FILE_BYTES = 128 * 1024;
const REVOKE_DELAY_MS = 60_000;

const VERDICTS = {
  new: _("新增"),
  known: _("已有，补上标签"),
  repeated: _("与前面的行相同"),
  too_long: _("超过 500 字"),
  unreadable: _("有无法识别的字符"),
  over_limit: _("超出数量上限"),
  blank: _("空行"),
};

const isStored = ({ verdict }) => verdict === "new" || verdict === "known";

function verdictText({ verdict, same_as: line }) {
  return verdict === "repeated" ? _("与第 {n} 行相同", { n: number(line) }) : VERDICTS[verdict];
}

/** Decode a CSV file, which spreadsheet programs in China may write as GB 18030. */
function decodeText(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

function encodeBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isWorkbook = bytes[0] === 0x50 && bytes[1] === 0x4b; // a ZIP archive
  return isWorkbook ? { content: encodeBase64(bytes), format: "xlsx" } : { content: decodeText(bytes), format: "csv" };
}

/** A cell that a spreadsheet program does not take for a formula. */
function csvCell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export class QuestionImport {
  /** `onStored` is called after questions were stored. */
  constructor({ onStored }) {
    Object.assign(this, { onStored, request: null, lines: [] });
    byId("import-form").addEventListener("submit", (event) => this.preview(event));
    byId("import-store").addEventListener("click", () => this.store());
    byId("import-download").addEventListener("click", () => this.downloadRefused());
    byId("import-cancel").addEventListener("click", () => this.close());
  }

  async preview(event) {
    event.preventDefault();
    const text = byId("import-text");
    const fileInput = byId("import-file");
    const [file] = fileInput.files;
    setError(text, file || text.value.trim() ? "" : _("请粘贴问题，或选择文件。"));
    setError(fileInput, file?.size > MAX_FILE_BYTES ? _("文件超过 128 KB，请分成几份。") : "");
    const invalid = byId("import-form").querySelector("[data-invalid]");
    if (invalid) {
      invalid.focus();
      return;
    }
    this.request = file ? await readFile(file) : { content: text.value, format: "lines" };
    await this.send(previewImport, file ? fileInput : text, (result) => this.show(result));
  }

  async store() {
    await this.send(importQuestions, byId("import-text"), ({ stored, refused, lines }) => {
      this.lines = lines;
      announce(_("已保存 {n} 个问题。", { n: number(stored) }));
      byId("import-form").reset();
      if (refused) this.show({ stored, refused, lines }, { isStored: true });
      else this.close();
      this.onStored();
    });
  }

  async send(call, field, handle) {
    byId("import-problem").replaceChildren();
    const buttons = document.querySelectorAll("#import-form button, #import-store");
    for (const button of buttons) button.disabled = true;
    try {
      handle(await call(workspaceId, this.request));
    } catch (error) {
      const problem = asProblem(error);
      const message = problem.body.fields?.content;
      if (message) setError(field, message);
      else showProblem(problem, { container: byId("import-problem"), display: "inline" });
      if (message) field.focus();
    }
    for (const button of buttons) button.disabled = false;
  }

  show({ stored, refused, lines }, { isStored: done = false } = {}) {
    this.lines = lines;
    const counts = new Map();
    for (const { verdict } of lines) counts.set(verdict, (counts.get(verdict) || 0) + 1);
    const summary = done
      ? _("已保存 {n} 行，{m} 行被拒", { n: number(stored), m: number(refused) })
      : _("{n} 行可以保存，{m} 行被拒", { n: number(stored), m: number(refused) });
    setText(byId("import-summary"), summary);
    byId("import-counts").replaceChildren(...[...counts].map(([verdict, count]) => h("li", {}, `${VERDICTS[verdict]} ${number(count)}`)));
    byId("import-lines").replaceChildren(...lines.map((line) => this.createRow(line)));
    setText(byId("import-store"), _("保存 {n} 行", { n: number(stored) }));
    byId("import-store").hidden = done || !stored;
    byId("import-download").hidden = !refused;
    setText(byId("import-cancel"), done ? _("关闭") : _("取消"));
    byId("import-result").hidden = false;
    byId("import-summary").focus();
  }

  createRow(line) {
    const tags = line.tags.map((tag) => h("span", { class: "chip" }, tag));
    const verdict = h("span", { class: "verdict", "data-stored": isStored(line) ? "yes" : "no" }, verdictText(line));
    return h("tr", {}, h("td", {}, number(line.number)), h("td", {}, line.text, " ", tags), h("td", {}, verdict));
  }

  downloadRefused() {
    const refused = this.lines.filter((line) => !isStored(line));
    const rows = [[_("行"), _("问题"), _("结果")], ...refused.map((line) => [String(line.number), line.text, verdictText(line)])];
    const text = `\ufeff${rows.map((cells) => cells.map(csvCell).join(",")).join("\r\n")}\r\n`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    h("a", { href: url, download: "refused-questions.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), REVOKE_DELAY_MS);
  }

  close() {
    byId("import-result").hidden = true;
    byId("import-text").focus();
  }
}
