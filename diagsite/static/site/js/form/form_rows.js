// A list of similar rows that the user adds and removes.

import { cloneTemplate, setText } from "../common/dom.js";
import { linkLabels } from "../common/fields.js";

export class FormRows {
  /** `list` is a `<ul>` or `<ol>`, `template` the id of a row's template, `addButton` is below, `counter` shows the number of rows. */
  constructor({ list, template, addButton, counter, max, onChange, onRow = () => {} }) {
    Object.assign(this, { list, template, addButton, counter, max, onChange, onRow });
    addButton.addEventListener("click", () => this.append()?.querySelector("input, textarea").focus());
    this.refresh();
  }

  get rows() {
    return [...this.list.children];
  }

  get isFull() {
    return this.rows.length >= this.max;
  }

  /** For each row, the values of its inputs. */
  get values() {
    return this.rows.map((row) => [...row.querySelectorAll("input, textarea")].map((input) => input.value));
  }

  /** Add a row at the end or below `after`; return null when the list is full. */
  append({ values = [], after = null } = {}) {
    if (this.isFull) return null;
    const row = cloneTemplate(this.template);
    linkLabels(row);
    row.querySelectorAll("input, textarea").forEach((input, index) => {
      input.value = values[index] || "";
    });
    row.querySelector(".remove").addEventListener("click", () => this.remove(row));
    if (after) after.after(row);
    else this.list.append(row);
    this.onRow(row);
    this.refresh();
    this.onChange();
    return row;
  }

  /** Remove a row and move the focus to its neighbour. */
  remove(row) {
    const neighbour = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector("input, textarea") || this.addButton).focus();
    this.refresh();
    this.onChange();
  }

  /** Replace all rows. */
  fill(rows) {
    this.list.replaceChildren();
    for (const values of rows) this.append({ values });
    this.refresh();
  }

  refresh() {
    this.addButton.disabled = this.isFull;
    setText(this.counter, `${this.rows.length} / ${this.max}`);
    this.list.hidden = this.rows.length === 0;
  }
}

/** Whether a key event belongs to an input method; Safari sends the Enter that ends a composition with this code only. */
const isComposing = (event) => event.isComposing || event.keyCode === 229;

/**
 * Make Enter in a row's textarea go to the next row, and a paste of several lines add one row per line.
 *
 * What a row contains already stays. `onReject` is called with the lines for which there was no room.
 */
export function handleLines(rows, row, onReject) {
  const input = row.querySelector("textarea");
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || isComposing(event)) return;
    event.preventDefault();
    const next = row.nextElementSibling || rows.append();
    next?.querySelector("textarea").focus();
  });
  input.addEventListener("paste", (event) => {
    const lines = event.clipboardData.getData("text").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    onReject(insertLines(rows, row, lines));
  });
}

/** Insert lines below what the row contains, without blank rows; return the lines that have no room. */
function insertLines(rows, row, lines) {
  const texts = rows.values.map(([text]) => text);
  const index = rows.rows.indexOf(row) + 1;
  const before = texts.slice(0, index).filter((text) => text.trim());
  const after = texts.slice(index).filter((text) => text.trim());
  const accepted = lines.slice(0, rows.max - before.length - after.length);
  rows.fill([...before, ...accepted, ...after].map((text) => [text]));
  rows.rows[Math.max(0, before.length + accepted.length - 1)].querySelector("textarea").focus();
  return lines.slice(accepted.length);
}
