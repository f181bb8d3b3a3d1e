// What is wrong with a field, said at the field.

import { h } from "./dom.js";

let serial = 0;

/** Gives each label of a stamped copy its own input. */
export function linkLabels(element) {
  for (const field of element.querySelectorAll(".field")) {
    const input = field.querySelector("input, textarea");
    serial += 1;
    input.id = `field-${serial}`;
    field.querySelector("label").htmlFor = input.id;
  }
}

function describedBy(input, id, isAdded) {
  const ids = new Set((input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
  if (isAdded) ids.add(id);
  else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" "));
  else input.removeAttribute("aria-describedby");
}

function note(input, kind, text) {
  const field = input.closest(".field");
  const id = `${input.id}-${kind}`;
  const old = document.getElementById(id);
  if (old?.textContent === text) return;
  old?.remove();
  describedBy(input, id, Boolean(text));
  if (text) field.append(h("p", { class: `field-${kind}`, id }, text));
}

/** Says why this field cannot be sent, or with an empty text that it can. */
export function setError(input, text) {
  note(input, "error", text);
  input.toggleAttribute("data-invalid", Boolean(text));
  if (input.matches("fieldset")) return;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** A remark that does not stop anything. */
export const setRemark = (input, text) => note(input, "remark", text);

/** Takes back what was said about the fields of a form. */
export function clearErrors(form) {
  for (const input of form.querySelectorAll("[data-invalid]")) setError(input, "");
}

/** Grows a textarea with its text. */
export function fitHeight(textarea) {
  if (CSS.supports("field-sizing", "content")) return;
  textarea.style.height = "auto";
  textarea.style.height = `${textarea.scrollHeight + 2}px`;
}
