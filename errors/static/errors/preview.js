// A preview of the error texts in the form: how a phone shows them in each display form, updated while typing.
"use strict";

(() => {
  const FULL_WIDTH = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6“”‘’…—·]/u;
  const ICONS = { success: "✓", error: "✕" };
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

    function toast(copy) {
      if (!data.limits.toast_icons.includes(copy.icon)) return h("div", "toast", copy.title);
      return h("div", "toast-with-icon", h("span", "", ICONS[copy.icon] || ""), copy.title);
    }

    function modal(copy) {
      const close = copy.action === "dismiss" ? null : h("span", "", "关闭");
      const buttons = h("div", "buttons", close, h("span", "", copy.label));
      const box = h("div", "modal", h("h4", "", copy.title), h("p", "", copy.message), h("p", "", copy.suggestion), buttons);
      return h("div", "backdrop", box);
    }

    function page(copy) {
      const texts = [h("h4", "", copy.title), h("p", "", copy.message), h("p", "", copy.suggestion)];
      return h("div", "full-page", h("span", "icon", "!"), ...texts, h("span", "action", copy.label));
    }

    function inline(copy) {
      const link = copy.action === "dismiss" ? null : h("span", "link", copy.label);
      const texts = h("div", "", h("h4", "", copy.title), h("p", "", copy.message), h("p", "", copy.suggestion), link);
      return h("div", "card", h("span", "icon", "!"), texts);
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
      if (copy.display === "modal") return data.limits.modal;
      if (copy.display !== "toast") return data.limits.title;
      return data.limits.toast_icons.includes(copy.icon) ? data.limits.toast_with_icon : data.limits.toast;
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
