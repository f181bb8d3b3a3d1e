// Names that answers mention and that are not tracked: accept, ignore, merge into a brand, and undo each.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, byId, h } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { number } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { remark } from "../report/cells.js";
import { decideCandidate, listCandidates, previewNames } from "./api.js";
import { confirmNames } from "./names_preview.js";
import { workspaceId } from "./page.js";

const DECIDED_STATES = ["accepted", "merged", "ignored"];

export class FoundNames {
  /** `onDecided` loads the names again. */
  constructor({ onDecided }) {
    Object.assign(this, { onDecided, names: null, canEdit: false });
  }

  async load({ names, canEdit }) {
    Object.assign(this, { names, canEdit });
    const [found, ...decided] = await Promise.all(["new", ...DECIDED_STATES].map((state) => listCandidates(workspaceId, state)));
    byId("found").replaceChildren(...(found.length ? found.map((row) => this.createItem(row)) : [emptyItem(_("没有待处理的名称。"))]));
    const rows = decided.flat();
    byId("decided-details").hidden = !rows.length;
    byId("decided").replaceChildren(...rows.map((row) => this.createDecidedItem(row)));
  }

  createItem(candidate) {
    const { name, example } = candidate;
    const counts = _("{answers} 条回答，{questions} 个问题，{platforms}", {
      answers: number(candidate.answers),
      questions: number(candidate.questions),
      platforms: candidate.platforms.join("、"),
    });
    const quote = example && h("blockquote", { class: "hint found-quote" }, h("a", { href: diagnosisUrl(example.diagnosis) }, `…${example.text}…`));
    const guess = candidate.is_guess && h("span", { class: "chip" }, _("猜测"));
    const text = h("div", { class: "row-text" }, h("p", {}, h("strong", {}, name), " ", guess), remark(counts), quote);
    return h("li", {}, text, this.canEdit && this.createButtons(candidate));
  }

  createButtons(candidate) {
    const { name } = candidate;
    const button = (label, onclick) => h("button", { type: "button", class: "button", "aria-label": `${label}：${name}`, onclick }, label);
    const options = this.names.brands.map((brand) => h("option", { value: brand.id }, brand.name));
    const select = h("select", { "aria-label": _("“{name}”与哪个品牌相同", { name }) }, h("option", { value: "" }, _("与…相同")), options);
    select.addEventListener("change", () => this.merge(candidate, select));
    const isFull = this.names.brands.length > 10;
    const accept = !isFull && button(_("设为竞品"), () => this.accept(candidate));
    return h("span", { class: "action-buttons button-row" }, accept, select, button(_("忽略"), () => this.ignore(candidate)));
  }

  createDecidedItem(candidate) {
    const brand = this.names.brands.find(({ id }) => id === candidate.brand);
    const states = { accepted: _("已设为竞品"), merged: _("与“{name}”相同", { name: brand?.name || "–" }), ignored: _("已忽略") };
    const undo = h("button", { type: "button", class: "button quiet", "aria-label": `${_("撤回")}：${candidate.name}` }, _("撤回"));
    undo.addEventListener("click", () => this.undo(candidate));
    return h("li", {}, h("span", { class: "row-text" }, candidate.name), remark(states[candidate.state]), this.canEdit && h("span", { class: "action-buttons" }, undo));
  }

  accept(candidate) {
    const brands = [...this.names.brands, { id: null, name: candidate.name, aliases: [], sites: [], is_own: false }];
    return this.decide(candidate, "accept", { title: _("把“{name}”设为竞品？", { name: candidate.name }), brands });
  }

  async merge(candidate, select) {
    const target = this.names.brands.find(({ id }) => id === select.value);
    if (!target) return;
    const add = (brand) => (brand === target ? { ...brand, aliases: [...brand.aliases, candidate.name] } : brand);
    const title = _("把“{name}”算作“{brand}”？", { name: candidate.name, brand: target.name });
    await this.decide(candidate, "merge", { title, brands: this.names.brands.map(add), body: { brand: target.id } });
    select.value = "";
  }

  ignore(candidate) {
    return this.decide(candidate, "ignore", {});
  }

  undo(candidate) {
    if (candidate.state === "ignored") return this.decide(candidate, "restore", {});
    const without = this.names.brands
      .filter((brand) => candidate.state === "merged" || brand.id !== candidate.brand)
      .map((brand) => (brand.id === candidate.brand ? { ...brand, aliases: brand.aliases.filter((text) => text !== candidate.name) } : brand));
    return this.decide(candidate, "restore", { title: _("不再计入“{name}”？", { name: candidate.name }), brands: without });
  }

  /** Show the effect on the newest run, if names change, and carry it out on agreement. */
  async decide(candidate, action, { title, brands = null, body = {} }) {
    try {
      if (brands && !(await confirmNames(title, { ...(await previewNames(workspaceId, brands)), old_runs: 0 }))) return;
      await decideCandidate(workspaceId, candidate.id, action, { ...body, names_version: this.names.names_version });
      announce(_("已更新。"));
      await this.onDecided();
      byId("found-heading").focus();
    } catch (error) {
      showProblem(error, { display: "toast" });
      await this.onDecided(); // the list is that of now
    }
  }
}
