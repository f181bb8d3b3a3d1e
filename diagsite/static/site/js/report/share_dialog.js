// The dialog with the share links of a report or an overview: create, copy and revoke.

import { _ } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { number } from "../common/format.js";
import { asProblem } from "../common/problem.js";
import { problemCard } from "../common/problem_display.js";

export class ShareDialog {
  /** `links` is `{list(), create(days), revoke(id)}`, the calls of the API. */
  constructor(links) {
    this.links = links;
    this.dialog = byId("share-dialog");
    this.list = byId("share-links");
    byId("open-share").addEventListener("click", () => this.open());
    byId("share-close").addEventListener("click", () => this.dialog.close());
    byId("share-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.create();
    });
  }

  open() {
    this.setStatus("");
    this.dialog.showModal();
    byId("share-days").focus();
    return this.attempt(async () => this.draw(await this.links.list()));
  }

  setStatus(text) {
    setText(byId("share-status"), text);
  }

  /** Run `work` and show an error inside the dialog, because the dialog covers the page. */
  async attempt(work) {
    const problem = byId("share-problem");
    problem.replaceChildren();
    try {
      await work();
    } catch (error) {
      const { body } = asProblem(error);
      const fieldErrors = Object.values(body.fields || {}).join(" ");
      const card = problemCard(body, { actions: { retry: () => this.attempt(work) }, heading: "h3" });
      problem.replaceChildren(card, fieldErrors && h("p", { class: "field-error" }, fieldErrors));
    }
  }

  async create() {
    const button = byId("share-create");
    button.disabled = true;
    await this.attempt(async () => {
      const link = await this.links.create(Number(byId("share-days").value));
      this.draw(await this.links.list());
      await this.copy(link.url);
    });
    button.disabled = false;
  }

  async copy(url) {
    try {
      await navigator.clipboard.writeText(url);
      this.setStatus(_("链接已复制。"));
    } catch {
      // Not available without HTTPS or without the user's permission.
      [...this.list.querySelectorAll("input")].find(({ value }) => value === url)?.select();
      this.setStatus(_("请手动复制选中的链接。"));
    }
  }

  revoke(link) {
    return this.attempt(async () => {
      await this.links.revoke(link.id);
      this.draw(await this.links.list());
      byId("share-title").focus();
      this.setStatus(_("链接已撤销，再也打不开了。"));
    });
  }

  draw(links) {
    this.list.replaceChildren(...links.map((link, index) => this.createItem(link, index + 1)));
  }

  createItem(link, position) {
    const expiry = h("span", {}, _("有效至"), " ", dateTime(link.expires_at));
    const label = _("第 {n} 个链接", { n: position });
    return h(
      "li",
      {},
      h("input", { type: "text", readonly: true, value: link.url, "aria-label": label, onfocus: (event) => event.target.select() }),
      h("p", { class: "hint" }, expiry, h("span", {}, _("打开过 {n} 次", { n: number(link.opens) }))),
      h("button", { type: "button", class: "button", "aria-label": `${_("复制")} ${label}`, onclick: () => this.copy(link.url) }, _("复制")),
      h("button", { type: "button", class: "button quiet", "aria-label": `${_("撤销")} ${label}`, onclick: () => this.revoke(link) }, _("撤销")),
    );
  }
}
