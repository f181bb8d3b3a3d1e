// Elements from data. Text is always set as text, never parsed as HTML.

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

/** An HTML element: `h("p", {class: "hint", onclick: fn}, "text", child)`. Empty children and attributes are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The element with this id, which the template promises. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the template has no #${id}`);
  return element;
}

/** A copy of the content of `<template id>`. */
export function stamp(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** Writes text only where it differs, so that nothing is laid out or read aloud twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says something to a screen reader, politely. */
export function announce(text) {
  setText(byId("announcer"), text);
}

/** Changes the page above `element` without moving what the reader is looking at. */
export function withoutJump(element, change) {
  const before = element.getBoundingClientRect().top;
  const isBeingRead = before < window.innerHeight / 2;
  change();
  if (isBeingRead) window.scrollBy({ top: element.getBoundingClientRect().top - before, behavior: "instant" });
}

/** Calls `fn` once things have been quiet for `ms`. */
export function debounced(fn, ms) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(fn, ms, ...args);
  };
}
