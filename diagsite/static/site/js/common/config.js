// The page's configuration from the server, and the translation of its texts.

/** `{demo, signed_in, csrf_token, language, urls}`; empty on a page without configuration. */
export const config = Object.freeze(JSON.parse(document.getElementById("config")?.textContent || "{}"));

/** Translate a Chinese text by Django's JavaScript catalogue and fill in its `{name}` placeholders. */
export function _(text, values = {}) {
  return window.django.gettext(text).replace(/\{(\w+)\}/g, (match, name) => (name in values ? String(values[name]) : match));
}

/** What the modules shared with the mini-program need for their texts. */
export const i18n = { _, language: () => config.language };

/** The address of a diagnosis's page. */
export const diagnosisUrl = (id) => config.urls.diagnosis.replace("{id}", id);
