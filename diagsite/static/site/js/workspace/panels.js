// The panels of a workspace: list, run, and a form whose changes become the next version.

import { _ } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { clearErrors, setError } from "../common/fields.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { describeSelection, drawPlatforms, getSelectedIds } from "../form/platform_picker.js";
import { archivePanel, changePanel, createPanel, listPanels } from "./api.js";
import { workspaceId } from "./page.js";
import { confirmRun, estimateText } from "./run_dialog.js";

const MAX_QUESTIONS = 20;

const form = byId("panel-form");
const platformList = byId("platforms");
const questionList = byId("panel-questions");

export class Panels {
  /** `reload` loads panels and questions again. */
  constructor({ reload }) {
    Object.assign(this, { reload, panels: [], questions: [], platforms: [], canEdit: false, edited: null });
    byId("add-panel").addEventListener("click", () => this.open(null));
    byId("panel-cancel").addEventListener("click", () => this.close());
    form.addEventListener("submit", (event) => this.save(event));
    form.addEventListener("change", () => this.drawEstimate());
  }

  /** `questions` are those that are not archived. */
  show({ panels, questions, platforms, canEdit }) {
    Object.assign(this, { panels, questions, platforms, canEdit });
    const items = panels.map((panel) => this.createItem(panel));
    const empty = emptyItem(_("还没有问题集。选几个问题和平台，就能定期看到变化。"));
    byId("panels").replaceChildren(...(items.length ? items : [empty]));
    if (!form.hidden) this.drawQuestions(getSelectedIds(questionList));
  }

  getPlatforms(ids) {
    return this.platforms.filter(({ id }) => ids.includes(id));
  }

  createItem(panel) {
    const platforms = this.getPlatforms(panel.platforms);
    const facts = [_("第 {n} 版", { n: number(panel.version) }), estimateText(platforms, panel.questions.length, panel.repeats)];
    const button = (label, onclick, style = "quiet") =>
      h("button", { type: "button", class: `button ${style}`, "aria-label": `${label}：${panel.name}`, onclick }, label);
    const buttons = [
      button(_("运行"), () => confirmRun(panel, platforms), "primary"),
      button(_("修改"), () => this.open(panel)),
      button(_("归档"), () => this.archive(panel)),
    ];
    const text = h("div", { class: "row-text" }, h("strong", {}, panel.name), h("p", { class: "hint" }, facts.join(" · ")));
    return h("li", {}, text, this.canEdit && h("span", { class: "action-buttons" }, buttons));
  }

  /** Open the form with a panel, or empty for a new one. */
  open(panel) {
    this.edited = panel;
    setText(byId("panel-form-heading"), panel ? _("修改“{name}”", { name: panel.name }) : _("新建问题集"));
    clearErrors(form);
    byId("panel-problem").replaceChildren();
    form.elements.name.value = panel?.name || "";
    form.elements.repeats.value = String(panel?.repeats || 1);
    this.drawQuestions(panel ? panel.questions.map(({ id }) => id) : []);
    const healthy = this.platforms.filter((platform) => platform.healthy).slice(0, 1);
    drawPlatforms(platformList, this.platforms, panel ? panel.platforms : healthy.map(({ id }) => id));
    form.hidden = false;
    this.drawEstimate();
    byId("panel-form-heading").focus();
  }

  drawQuestions(selected) {
    // What the panel asks may have been archived meanwhile; it stays in the list to be seen and unticked.
    const asked = (this.edited?.questions || []).filter(({ id }) => !this.questions.some((question) => question.id === id));
    questionList.replaceChildren(
      ...[...this.questions, ...asked].map((question) => {
        const box = h("input", { type: "checkbox", value: question.id });
        box.checked = selected.includes(question.id);
        const mark = asked.includes(question) && h("span", { class: "chip" }, _("已归档"));
        return h("li", {}, h("label", { class: "check-label" }, box, h("span", {}, question.text, " ", mark)));
      }),
    );
    if (!questionList.children.length) questionList.append(emptyItem(_("先在下面添加问题。")));
  }

  drawEstimate() {
    const questions = getSelectedIds(questionList).length;
    const platforms = this.getPlatforms(getSelectedIds(platformList));
    setText(byId("panel-question-count"), `${questions} / ${MAX_QUESTIONS}`);
    setText(byId("panel-estimate"), estimateText(platforms, questions, Number(form.elements.repeats.value)));
    const { warnings, error } = describeSelection(platforms);
    const texts = [...new Set([...warnings, error].filter(Boolean))];
    byId("platforms-warning").replaceChildren(...texts.map((text) => h("li", {}, text)));
    byId("platforms-warning").hidden = !texts.length;
  }

  readForm() {
    return {
      name: form.elements.name.value.trim(),
      questions: getSelectedIds(questionList),
      platforms: getSelectedIds(platformList),
      repeats: Number(form.elements.repeats.value),
    };
  }

  async save(event) {
    event.preventDefault();
    const body = this.readForm();
    const tooMany = body.questions.length > MAX_QUESTIONS && _("最多 {max} 个问题。", { max: MAX_QUESTIONS });
    this.showErrors({
      name: body.name ? "" : _("请填写名称。"),
      questions: body.questions.length ? tooMany || "" : _("请至少选择一个问题。"),
      platforms: body.platforms.length ? "" : _("请至少选择一个平台。"),
    });
    if (form.querySelector("[data-invalid]")) return;
    try {
      if (this.edited) await changePanel(workspaceId, this.edited.id, { ...body, version: this.edited.version });
      else await createPanel(workspaceId, body);
      announce(_("已保存。"));
      this.close();
      await this.reload();
    } catch (error) {
      await this.handleRejection(asProblem(error));
    }
  }

  showErrors({ name = "", questions = "", platforms = "" }) {
    setError(form.elements.name, name);
    setError(byId("panel-questions-field"), questions);
    setError(byId("platforms-field"), platforms);
    form.querySelector("[data-invalid]")?.focus();
  }

  /** What was chosen stays; after a change by someone else, the next save is based on their version. */
  async handleRejection(problem) {
    const fields = problem.body.fields || {};
    const find = (name) => Object.entries(fields).find(([path]) => path.split(".")[0] === name)?.[1] || "";
    byId("panel-problem").replaceChildren();
    if (fields.version) {
      const newest = (await listPanels(workspaceId)).find(({ id }) => id === this.edited.id);
      if (newest) this.edited = { ...this.edited, version: newest.version };
      const asked = newest ? newest.questions.map(({ text }) => text).join("；") : "–";
      const text = _("别人刚改过这个问题集，现在问的是：{questions}。您选的还在，再保存一次就以它为准。", { questions: asked });
      byId("panel-problem").replaceChildren(h("p", { class: "notice", role: "alert" }, text));
      return;
    }
    const errors = { name: find("name"), questions: find("questions"), platforms: find("platforms") };
    if (Object.values(errors).some(Boolean)) this.showErrors(errors);
    else showProblem(problem, { container: byId("panel-problem"), display: "inline" });
  }

  close() {
    form.hidden = true;
    this.edited = null;
    byId("panels-heading").focus();
  }

  async archive(panel) {
    const message = _("它的定期诊断会删除，以前的诊断保留。");
    if (!(await confirmDialog({ title: _("归档“{name}”？", { name: panel.name }), message, yes: _("归档"), no: _("取消") }))) return;
    try {
      await archivePanel(workspaceId, panel.id);
      await this.reload();
      byId("panels-heading").focus();
    } catch (error) {
      showProblem(error, { display: "toast" });
    }
  }
}
