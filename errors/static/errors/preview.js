// A preview of the error texts in the form: how a phone shows them in each display form, updated while typing.
"use strict";

(() => {
  const FULL_WIDTH = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6“”‘’…—·]/u;
  const ICONS = { info: "i", warning: "!", error: "✕", success: "✓" };
  const DISPLAY_FORMS = { toast: "轻提示", modal: "对话框", page: "整页", inline: "页内" };
  const FIELDS = ["title", "message", "suggestion", "action_label"];

  function h(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children.filter(Boolean));
    return element;
  }

  /** The width in full-width characters. */
  const getWidth = (text) => [...text].reduce((sum, one) => sum + (FULL_WIDTH.test(one) ? 1 : 0.5), 0);

  function startPreview(container, data) {
    const field = (name) => document.getElementById(`id_${name}`);
    const value = (name) => (field(name) ? field(name).value : String(data.draft[name] ?? ""));

    const fillPlaceholders = (text) => text.replace(/\{([a-z][a-z_]*)\}/g, (_match, name) => data.examples[name] ?? "");

    function readCopy() {
      const copy = Object.fromEntries(FIELDS.map((name) => [name, fillPlaceholders(value(name))]));
      const action = value("action");
      const label = copy.action_label || data.labels[action] || "";
      return { ...copy, action, label, display: value("display"), icon: value("icon") };
    }

    const icon = (copy) => (ICONS[copy.icon] ? h("span", "icon", ICONS[copy.icon]) : null);
    const hasAction = (copy) => copy.action !== "dismiss";

    const texts = (copy) => [h("h4", "", copy.title), h("p", "", copy.message), h("p", "", copy.suggestion)];

    // The same parts, in the same order, as miniprogram/components/error-dialog/error-dialog.wxml.
    function toast(copy) {
      const box = h("div", "texts", h("h4", "", copy.title), h("p", "", copy.suggestion || copy.message));
      const action = hasAction(copy) ? h("span", "link", copy.label) : null;
      return h("div", "toast", icon(copy), box, action, h("span", "close", "×"));
    }

    function modal(copy) {
      const close = hasAction(copy) ? h("span", "", "关闭") : null;
      const buttons = h("div", "buttons", close, h("span", "primary", copy.label));
      return h("div", "backdrop", h("div", "modal", icon(copy), ...texts(copy), buttons));
    }

    function page(copy) {
      return h("div", "full-page", icon(copy), ...texts(copy), h("span", "action", copy.label));
    }

    function inline(copy) {
      const action = hasAction(copy) ? h("span", "action", copy.label) : null;
      return h("div", "card", icon(copy), h("div", "texts", ...texts(copy), action));
    }

    const draw = { toast, modal, page, inline };

    function phone(form, copy) {
      const screen = h("div", "screen", draw[form](copy));
      screen.dataset.severity = data.severity;
      const isCurrent = form === copy.display;
      const figure = h("figure", "phone", h("figcaption", "", isCurrent ? `${DISPLAY_FORMS[form]}（当前）` : DISPLAY_FORMS[form]), screen);
      figure.dataset.form = form;
      figure.dataset.current = isCurrent ? "yes" : "no";
      figure.style.order = isCurrent ? 0 : 1;
      return figure;
    }

    function getMaxWidth(name, copy) {
      if (name === "action_label") return data.limits.label;
      if (name !== "title") return data.limits.text;
      return copy.display === "modal" ? data.limits.modal : data.limits.title;
    }

    function showWidth(name, copy) {
      const input = field(name);
      if (!input) return;
      const note = input.parentElement.querySelector(".copy-width") || input.insertAdjacentElement("afterend", h("span", "copy-width"));
      note.textContent = `${getWidth(copy[name])} / ${getMaxWidth(name, copy)}`;
      note.dataset.over = getWidth(copy[name]) > getMaxWidth(name, copy) ? "yes" : "no";
    }

    function update() {
      const copy = readCopy();
      container.replaceChildren(...Object.keys(DISPLAY_FORMS).map((form) => phone(form, copy)));
      for (const name of FIELDS) showWidth(name, copy);
    }

    document.addEventListener("input", update);
    document.addEventListener("change", update);
    update();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const container = document.getElementById("copy-preview");
    const data = document.getElementById("copy-preview-data");
    if (container && data) startPreview(container, JSON.parse(data.textContent));
  });
})();
