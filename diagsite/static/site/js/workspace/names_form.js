// The form of a workspace's names: the own brand and the competitors with spellings and sites, edited as a whole.

import { _ } from "../common/config.js";
import { announce, byId, cloneTemplate, h, setText } from "../common/dom.js";
import { clearErrors, linkLabels, setError } from "../common/fields.js";
import { asProblem } from "../common/problem.js";
import { showProblem } from "../common/problem_display.js";
import { splitNames, splitSites } from "../form/draft.js";
import { applyNames, previewNames } from "./api.js";
import { confirmNames } from "./names_preview.js";
import { workspaceId } from "./page.js";

const MAX_RIVALS = 10;

const form = byId("names-form");
const ownList = byId("names-own");
const rivalList = byId("names-rivals");

export class NamesForm {
  /** `onApplied` gets the new names, `reload` loads the current ones and returns them. */
  constructor({ onApplied, reload }) {
    Object.assign(this, { onApplied, reload, version: 0 });
    byId("add-rival").addEventListener("click", () => this.addRow(rivalList, { id: null, name: "", aliases: [], sites: [] }).querySelector("input").focus());
    byId("names-cancel").addEventListener("click", () => this.close());
    form.addEventListener("submit", (event) => this.submit(event));
  }

  open({ brands, names_version: version }) {
    this.version = version;
    clearErrors(form);
    byId("names-problem").replaceChildren();
    ownList.replaceChildren();
    rivalList.replaceChildren();
    for (const brand of brands) this.addRow(brand.is_own ? ownList : rivalList, brand);
    form.hidden = false;
    this.drawCount();
    byId("names-form-heading").focus();
  }

  addRow(list, { id, name, aliases, sites }) {
    const row = cloneTemplate("name-row");
    linkLabels(row);
    const [nameInput, aliasInput, siteInput] = row.querySelectorAll("input");
    Object.assign(nameInput, { value: name });
    aliasInput.value = aliases.join("、");
    siteInput.value = sites.join("、");
    if (id) row.dataset.id = id;
    const remove = row.querySelector(".remove");
    if (list === ownList) remove.remove();
    else remove.addEventListener("click", () => this.removeRow(row));
    list.append(row);
    this.drawCount();
    return row;
  }

  removeRow(row) {
    const neighbour = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector("input") || byId("add-rival")).focus();
    this.drawCount();
  }

  drawCount() {
    const count = rivalList.children.length;
    byId("add-rival").disabled = count >= MAX_RIVALS;
    setText(byId("rival-count"), `${count} / ${MAX_RIVALS}`);
  }

  get rows() {
    return [...ownList.children, ...rivalList.children];
  }

  readBrands() {
    return this.rows.map((row) => {
      const [name, aliases, sites] = [...row.querySelectorAll("input")].map((input) => input.value);
      return { id: row.dataset.id || null, name: name.trim(), aliases: splitNames(aliases), sites: splitSites(sites), is_own: row.parentElement === ownList };
    });
  }

  async submit(event) {
    event.preventDefault();
    clearErrors(form);
    byId("names-problem").replaceChildren();
    for (const row of this.rows) {
      const input = row.querySelector("input");
      if (!input.value.trim()) setError(input, _("请填写名称，或删除这一行。"));
    }
    const invalid = form.querySelector("[data-invalid]");
    if (invalid) {
      invalid.focus();
      return;
    }
    const brands = this.readBrands();
    try {
      const agreed = await confirmNames(_("应用这些名称？"), await previewNames(workspaceId, brands));
      if (!agreed) return;
      const names = await applyNames(workspaceId, { brands, names_version: this.version, recount_old: agreed.recountOld });
      announce(_("名称已更新。"));
      this.close();
      this.onApplied(names);
    } catch (error) {
      await this.handleRejection(asProblem(error));
    }
  }

  /** What was typed stays; after a change by someone else, the next preview is based on their version. */
  async handleRejection(problem) {
    const fields = problem.body.fields || {};
    const isOutdated = fields.names_version || Object.keys(fields).some((path) => /^brands\.\d+\.id$/.test(path));
    if (isOutdated) {
      const names = await this.reload();
      this.version = names.names_version;
      const known = new Set(names.brands.map(({ id }) => id));
      for (const row of this.rows) if (!known.has(row.dataset.id)) delete row.dataset.id;
      const text = _("别人刚改过名称，上面的列表已是最新的。您填的还在，核对后请再看一次变化。");
      byId("names-problem").replaceChildren(h("p", { class: "notice", role: "alert" }, text));
      return;
    }
    for (const [path, message] of Object.entries(fields)) {
      const [list, index, part = "name"] = path.split(".");
      const input = list === "brands" && this.rows[index]?.querySelector(`[name=${part}]`);
      if (input) setError(input, message);
    }
    const first = form.querySelector("[data-invalid]");
    if (first) first.focus();
    else showProblem(problem, { container: byId("names-problem"), display: "inline" });
  }

  close() {
    form.hidden = true;
    byId("tracked-heading").focus();
  }
}
