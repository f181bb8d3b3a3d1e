// The question before a panel runs: calls, price and time, and the consent where it is required.

import { acceptDocuments, getConsent } from "../common/api.js";
import { _, diagnosisUrl } from "../common/config.js";
import { cloneTemplate, h } from "../common/dom.js";
import { setError } from "../common/fields.js";
import { showProblem } from "../common/problem_display.js";
import { randomId } from "../common/storage.js";
import { describeEstimate, describeSelection } from "../form/platform_picker.js";
import { runPanel } from "./api.js";
import { workspaceId } from "./page.js";

/** `30 次调用（…），约 1 分钟，约 ¥0.60` */
export function estimateText(platforms, questions, repeats) {
  const { calls, breakdown, duration, cost } = describeEstimate(platforms, questions, repeats);
  return _("{calls} 次调用（{breakdown}），预计用时 {duration}，预计费用 {cost}", { calls, breakdown, duration, cost });
}

async function start(panel, key, consent, box) {
  if (consent?.is_required) {
    setError(box.querySelector("input"), box.querySelector("input").checked ? "" : _("请先阅读并同意。"));
    if (!box.querySelector("input").checked) return;
    await acceptDocuments(consent.version);
    consent.is_required = false;
    box.hidden = true;
  }
  const { id } = await runPanel(workspaceId, panel.id, key);
  location.assign(diagnosisUrl(id));
}

/** Ask, and on agreement run a panel and go to its diagnosis. `platforms` are those of the panel. */
export async function confirmRun(panel, platforms) {
  const consent = await getConsent().catch(() => null);
  const box = cloneTemplate("run-consent");
  box.hidden = !consent?.is_required;
  const { warnings, error } = describeSelection(platforms);
  const problem = h("div", {});
  const yes = h("button", { class: "button primary", disabled: Boolean(error) || !platforms.length }, _("开始诊断"));
  const no = h("button", { type: "button", class: "button quiet", autofocus: true }, _("取消"));
  const texts = [estimateText(platforms, panel.questions.length, panel.repeats), ...new Set([...warnings, error].filter(Boolean))];
  const dialog = h(
    "dialog",
    { class: "modal", "aria-labelledby": "run-title" },
    h("h2", { id: "run-title" }, _("运行“{name}”？", { name: panel.name })),
    texts.map((text) => h("p", {}, text)),
    h("form", { novalidate: true, method: "dialog" }, box, problem, h("div", { class: "modal-actions" }, no, yes)),
  );
  const key = randomId(); // a second press after a failure does not run it twice
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await start(panel, key, consent, box);
    } catch (failure) {
      showProblem(failure, { container: problem, display: "inline" });
    }
    yes.disabled = false;
  });
  no.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
