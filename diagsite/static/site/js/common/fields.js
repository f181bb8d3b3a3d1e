// Error messages and remarks at the fields of a form.

import { h } from "./dom.js";

let lastId = 0;

/** Give the inputs of a cloned template unique ids, and link their labels to them. */
export function linkLabels(element) {
  for (const field of element.querySelectorAll(".field")) {
    const input = field.querySelector("input, textarea");
    lastId += 1;
    input.id = `field-${lastId}`;
    field.querySelector("label").htmlFor = input.id;
  }
}

/** Show, replace or with an empty text remove the field's message of this kind, and refer to it from the input. */
function setMessage(input, kind, text) {
  const id = `${input.id}-${kind}`;
  const old = document.getElementById(id);
  if (old?.textContent === text) return;
  old?.remove();
  const ids = new Set((input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
  if (text) ids.add(id);
  else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" "));
  else input.removeAttribute("aria-describedby");
  if (text) input.closest(".field").append(h("p", { class: `field-${kind}`, id }, text));
}

/** Mark a field as invalid with this message, or with an empty text as valid. */
export function setError(input, text) {
  setMessage(input, "error", text);
  input.toggleAttribute("data-invalid", Boolean(text));
  if (input.matches("fieldset")) return;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** Show a remark that does not make the field invalid. */
export const setRemark = (input, text) => setMessage(input, "remark", text);

/** Remove all error messages of a form. */
export function clearErrors(form) {
  for (const input of form.querySelectorAll("[data-invalid]")) setError(input, "");
}

/** Fit the height of a textarea to its text, where CSS cannot. */
export function fitHeight(textarea) {
  if (CSS.supports("field-sizing", "content")) return;
  textarea.style.height = "auto";
  textarea.style.height = `${textarea.scrollHeight + 2}px`;
}
