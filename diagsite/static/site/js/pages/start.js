// The start page: the form of a new diagnosis, and the latest diagnoses.

import { createDiagnosis, getDiagnosis, listDiagnoses } from "../common/api.js";
import { _, diagnosisUrl } from "../common/config.js";
import { confirmDialog } from "../common/confirm_dialog.js";
import { diagnosisItem } from "../common/diagnosis_item.js";
import { announce, byId } from "../common/dom.js";
import { emptyItem } from "../common/elements.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { draftFromDiagnosis, loadDraft } from "../form/draft.js";
import { fillForm, form, getPlatforms, getQuestionTexts, openOrderForm, tickPlatforms } from "../form/order_form.js";
import { sampleDraft } from "../form/sample.js";

const MAX_LATEST = 5;

async function sendOrder(body, key) {
  const { id } = await createDiagnosis(body, key);
  return diagnosisUrl(id);
}

async function fillSample() {
  const isEmpty = !form.brand.value && !getQuestionTexts().some(Boolean);
  const question = { title: _("换成示例？"), message: _("您已填写的内容会被替换。"), yes: _("换成示例"), no: _("保留我填的") };
  if (!isEmpty && !(await confirmDialog(question))) return;
  fillForm(sampleDraft);
  announce(_("已填入示例，可以直接开始。"));
  byId("submit").focus({ preventScroll: true });
  // The texts appear at once, even while the platforms are still loading.
  const healthy = (await getPlatforms()).filter((platform) => platform.healthy);
  const demo = healthy.filter((platform) => platform.demo).slice(0, 2);
  tickPlatforms((demo.length ? demo : healthy.slice(0, 1)).map(({ id }) => id));
}

async function loadLatest() {
  const latest = byId("latest");
  try {
    const { items } = await listDiagnoses({});
    const shown = items.slice(0, MAX_LATEST).map(diagnosisItem);
    latest.replaceChildren(...(shown.length ? shown : [emptyItem(_("还没有诊断。填好上面的表单，几分钟后就有第一份报告。"))]));
  } catch (error) {
    latest.replaceChildren(problemCard(asProblem(error).body, { actions: { retry: loadLatest } }));
  }
}

/** Copy the diagnosis of `?from=`, else restore the stored draft. */
async function loadInitialDraft(from) {
  if (!from) return loadDraft();
  try {
    return draftFromDiagnosis(await getDiagnosis(from));
  } catch (error) {
    showProblem(error, { display: "toast" });
    return loadDraft();
  }
}

async function start() {
  const parameters = new URLSearchParams(location.search);
  const draft = await loadInitialDraft(parameters.get("from"));
  openOrderForm({ draft, sendOrder, allHealthy: parameters.get("platforms") === "healthy" });
  loadLatest();
}

byId("sample").addEventListener("click", fillSample);
start();
