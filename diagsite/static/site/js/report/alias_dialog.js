// A dialog that adds an alias to a brand; a rejected alias is explained at its field.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { setError } from "../common/fields.js";
import { asProblem } from "../common/problem.js";

/** Open the dialog. `save` gets the alias and returns a promise; the dialog stays open when the alias is rejected. */
export function openAliasDialog(brand, save) {
  const input = h("input", { id: "new-alias", maxlength: "100", autocomplete: "off", autofocus: true, required: true });
  const submit = h("button", { class: "button primary" }, _("添加"));
  const form = h(
    "form",
    { novalidate: true },
    h("h2", { id: "alias-title" }, _("“{brand}”的另一种写法", { brand })),
    h("div", { class: "field" }, h("label", { for: "new-alias" }, _("别名")), input, h("p", { class: "hint" }, _("英文名、简称、常见的错写。所有回答会重新查找一遍，数字随即更新。"))),
    h("div", { class: "modal-actions" }, h("button", { type: "button", class: "button quiet", onclick: () => dialog.close() }, _("取消")), submit),
  );
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "alias-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const alias = input.value.trim();
    if (!alias) {
      setError(input, _("请填写别名。"));
      return;
    }
    submit.disabled = true;
    try {
      await save(alias);
      dialog.close();
    } catch (error) {
      submit.disabled = false;
      const { fields } = asProblem(error).body;
      if (!fields?.alias) dialog.close();
      if (fields?.alias) setError(input, fields.alias);
      else showProblem(error, { display: "toast" });
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
