// What the view tells this page, and the words of the language.

function readJson(id) {
  return JSON.parse(document.getElementById(id)?.textContent || "{}");
}

/** `{demo, signed_in, csrf_token, language, urls}` */
export const config = Object.freeze(readJson("config"));

/** The Chinese text in the page's language (from Django's JavaScript catalogue), with `{name}` filled in. */
export function _(text, values = {}) {
  return window.django.gettext(text).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
