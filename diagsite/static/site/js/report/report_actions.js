// What can be done with a report that is there: take it away as a file, print it, share it by a link.

import { createShare, fetchFile, listShares, preparePrint, revokeShare } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { announce, byId, h, setText } from "../common/dom.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { moment, number } from "../common/format.js";
import { asProblem } from "../common/problem.js";

const REVOKE_MS = 60_000; // a browser may still be reading the file when the click is over

function nameOf(response) {
  const header = response.headers.get("Content-Disposition") || "";
  const [, encoded] = header.match(/filename\*=utf-8''([^;]+)/i) || [];
  const [, plain] = header.match(/filename="([^"]+)"/i) || [];
  return encoded ? decodeURIComponent(encoded) : plain || "report";
}

/** Hands a file over as if it had been clicked; a header says who asks, so a plain link would not do. */
async function save(address) {
  const response = await fetchFile(address);
  const url = URL.createObjectURL(await response.blob());
  h("a", { href: url, download: nameOf(response) }).click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_MS);
}

async function exportFile(link) {
  const menu = byId("export-menu");
  menu.open = false;
  menu.querySelector("summary").focus();
  announce(_("正在准备文件…"));
  try {
    await save(link.getAttribute("href"));
    announce(_("文件已下载。"));
  } catch (error) {
    showProblem(error, { actions: { retry: () => exportFile(link) } });
  }
}

function onExportClick(event) {
  const link = event.target.closest("[data-export]");
  if (!link) return;
  event.preventDefault();
  exportFile(link);
}

/** With a session the link is enough. With a token the page needs a ticket, and the tab must be opened by the click. */
async function print(event, id) {
  if (config.signed_in) return;
  event.preventDefault();
  const tab = window.open("", "_blank");
  try {
    const { url } = await preparePrint(id);
    if (tab) tab.location = url;
    else window.location.assign(url);
  } catch (error) {
    tab?.close();
    showProblem(error, { actions: { retry: () => byId("open-print").click() } });
  }
}

class ShareDialog {
  constructor(id) {
    this.id = id;
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
    this.say("");
    this.dialog.showModal();
    byId("share-days").focus();
    return this.attempt(async () => this.draw(await listShares(this.id)));
  }

  say(text) {
    setText(byId("share-said"), text);
  }

  /** What fails is told inside of the dialog, which covers the page. */
  async attempt(work) {
    const problem = byId("share-problem");
    problem.replaceChildren();
    try {
      await work();
    } catch (error) {
      const { body } = asProblem(error);
      const why = Object.values(body.fields || {}).join(" ");
      problem.replaceChildren(problemCard(body, { actions: { retry: () => this.attempt(work) }, heading: "h3" }), why && h("p", { class: "field-error" }, why));
    }
  }

  async create() {
    const button = byId("share-create");
    button.disabled = true;
    await this.attempt(async () => {
      const link = await createShare(this.id, Number(byId("share-days").value));
      this.draw(await listShares(this.id));
      await this.copy(link.url);
    });
    button.disabled = false;
  }

  async copy(url) {
    try {
      await navigator.clipboard.writeText(url);
      this.say(_("链接已复制。"));
    } catch {
      // Not over plain HTTP, and not where the person has forbidden it.
      const field = [...this.list.querySelectorAll("input")].find((one) => one.value === url);
      field?.select();
      this.say(_("请手动复制选中的链接。"));
    }
  }

  revoke(link) {
    return this.attempt(async () => {
      await revokeShare(this.id, link.id);
      this.draw(await listShares(this.id));
      byId("share-title").focus();
      this.say(_("链接已撤销，再也打不开了。"));
    });
  }

  draw(links) {
    this.list.replaceChildren(...links.map((link, index) => this.row(link, index + 1)));
  }

  row(link, place) {
    const until = h("span", {}, _("有效至"), " ", moment(link.expires_at));
    const label = _("第 {n} 个链接", { n: place });
    return h(
      "li",
      {},
      h("input", { type: "text", readonly: true, value: link.url, "aria-label": label, onfocus: (event) => event.target.select() }),
      h("p", { class: "hint" }, until, h("span", {}, _("打开过 {n} 次", { n: number(link.opens) }))),
      h("button", { type: "button", class: "button", "aria-label": `${_("复制")} ${label}`, onclick: () => this.copy(link.url) }, _("复制")),
      h("button", { type: "button", class: "button quiet", "aria-label": `${_("撤销")} ${label}`, onclick: () => this.revoke(link) }, _("撤销")),
    );
  }
}

function closeMenu(menu, event) {
  const isOutside = event.type === "click" && !menu.contains(event.target);
  const isEscape = event.type === "keydown" && event.key === "Escape" && menu.open;
  if (isOutside || isEscape) menu.open = false;
  if (isEscape) menu.querySelector("summary").focus();
}

/** Shows the bar of a report that is there; `id` is the diagnosis's. */
export function showActions(id) {
  const bar = byId("report-actions");
  if (!bar.hidden) return;
  bar.hidden = false;
  const menu = byId("export-menu");
  menu.addEventListener("click", onExportClick);
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, (event) => closeMenu(menu, event));
  byId("open-print").addEventListener("click", (event) => print(event, id));
  new ShareDialog(id);
}
