// Creating and changing elements. Text is always set as text, never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Create an HTML element: `h("p", {class: "hint", onclick: fn}, "text", child)`. Empty children and attributes are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Create an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return the element with this id; throw when the template lacks it. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the template has no #${id}`);
  return element;
}

/** Return a copy of the content of `<template id>`. */
export function cloneTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** Set the text only when it differs, to avoid layout and a second announcement by screen readers. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Have screen readers announce a text when they are idle. */
export function announce(text) {
  setText(byId("announcer"), text);
}

/** Change the page above `element` and keep the element where it is on the screen. */
export function keepInPlace(element, change) {
  const before = element.getBoundingClientRect().top;
  const isInView = before < window.innerHeight / 2;
  change();
  if (isInView) window.scrollBy({ top: element.getBoundingClientRect().top - before, behavior: "instant" });
}

/** Return a function that calls `fn` once it has not been called again for `ms`. */
export function debounce(fn, ms) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(fn, ms, ...args);
  };
}
