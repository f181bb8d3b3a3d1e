// Shows the words of the form as a phone would, in each display form, while they are typed.
"use strict";

(() => {
  const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6“”‘’…—·]/u;
  const SIGNS = { success: "✓", error: "✕" };
  const FORMS = { toast: "轻提示", modal: "对话框", page: "整页", inline: "页内" };
  const TEXTS = ["title", "message", "suggestion", "action_label"];

  function h(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children.filter(Boolean));
    return element;
  }

  const width = (text) => [...text].reduce((sum, one) => sum + (WIDE.test(one) ? 1 : 0.5), 0);

  function start(place, data) {
    const field = (name) => document.getElementById(`id_${name}`);
    const value = (name) => (field(name) ? field(name).value : String(data.draft[name] ?? ""));

    const filled = (text) => text.replace(/\{([a-z][a-z_]*)\}/g, (_whole, name) => data.examples[name] ?? "");

    function read() {
      const words = Object.fromEntries(TEXTS.map((name) => [name, filled(value(name))]));
      const action = value("action");
      const label = words.action_label || data.labels[action] || "";
      return { ...words, action, label, display: value("display"), icon: value("icon") };
    }

    function toast(words) {
      if (!data.limits.toast_icons.includes(words.icon)) return h("div", "toast", words.title);
      return h("div", "toast-with-icon", h("span", "", SIGNS[words.icon] || ""), words.title);
    }

    function modal(words) {
      const close = words.action === "dismiss" ? null : h("span", "", "关闭");
      const buttons = h("div", "buttons", close, h("span", "", words.label));
      const box = h("div", "modal", h("h4", "", words.title), h("p", "", words.message), h("p", "", words.suggestion), buttons);
      return h("div", "shade", box);
    }

    function page(words) {
      const texts = [h("h4", "", words.title), h("p", "", words.message), h("p", "", words.suggestion)];
      return h("div", "whole", h("span", "sign", "!"), ...texts, h("span", "go", words.label));
    }

    function inline(words) {
      const link = words.action === "dismiss" ? null : h("span", "link", words.label);
      const texts = h("div", "", h("h4", "", words.title), h("p", "", words.message), h("p", "", words.suggestion), link);
      return h("div", "card", h("span", "sign", "!"), texts);
    }

    const draw = { toast, modal, page, inline };

    function phone(form, words) {
      const screen = h("div", "screen", draw[form](words));
      screen.dataset.severity = data.severity;
      const isChosen = form === words.display;
      const figure = h("figure", "phone", h("figcaption", "", isChosen ? `${FORMS[form]}（当前）` : FORMS[form]), screen);
      figure.dataset.form = form;
      figure.dataset.chosen = isChosen ? "yes" : "no";
      figure.style.order = isChosen ? 0 : 1;
      return figure;
    }

    function most(name, words) {
      if (name === "action_label") return data.limits.label;
      if (name !== "title") return data.limits.text;
      if (words.display === "modal") return data.limits.modal;
      if (words.display !== "toast") return data.limits.title;
      return data.limits.toast_icons.includes(words.icon) ? data.limits.toast_with_icon : data.limits.toast;
    }

    function measure(name, words) {
      const input = field(name);
      if (!input) return;
      const note = input.parentElement.querySelector(".copy-width") || input.insertAdjacentElement("afterend", h("span", "copy-width"));
      note.textContent = `${width(words[name])} / ${most(name, words)}`;
      note.dataset.over = width(words[name]) > most(name, words) ? "yes" : "no";
    }

    function show() {
      const words = read();
      place.replaceChildren(...Object.keys(FORMS).map((form) => phone(form, words)));
      for (const name of TEXTS) measure(name, words);
    }

    document.addEventListener("input", show);
    document.addEventListener("change", show);
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("copy-preview");
    const data = document.getElementById("copy-preview-data");
    if (place && data) start(place, JSON.parse(data.textContent));
  });
})();
