// A list of alike rows that a person adds to and takes from.

import { h, setText, stamp } from "../common/dom.js";
import { linkLabels } from "../common/fields.js";

export class Rows {
  /** `list` is a `<ul>` or `<ol>`, `template` the id of its row, `add` the button below, `count` shows how many. */
  constructor({ list, template, add, count, max, onChange, onRow = () => {} }) {
    Object.assign(this, { list, template, add, count, max, onChange, onRow });
    add.addEventListener("click", () => this.append()?.querySelector("input, textarea").focus());
    this.refresh();
  }

  get rows() {
    return [...this.list.children];
  }

  get isFull() {
    return this.rows.length >= this.max;
  }

  /** Adds a row after `previous` or at the end; null when the list is full. */
  append({ values = [], after = null } = {}) {
    if (this.isFull) return null;
    const row = stamp(this.template);
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

  /** Takes a row away and leaves the focus on its neighbour. */
  remove(row) {
    const neighbour = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector("input, textarea") || this.add).focus();
    this.refresh();
    this.onChange();
  }

  /** Replaces all rows. */
  fill(rows) {
    this.list.replaceChildren();
    for (const values of rows) this.append({ values });
    this.refresh();
  }

  refresh() {
    this.add.disabled = this.isFull;
    setText(this.count, `${this.rows.length} / ${this.max}`);
    this.list.hidden = this.rows.length === 0;
  }
}

/** A question row: Enter goes on to the next one, pasted lines become rows. */
export function asLines(rows, row, onPasted) {
  const input = row.querySelector("textarea");
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const next = row.nextElementSibling || rows.append();
    next?.querySelector("textarea").focus();
  });
  input.addEventListener("paste", (event) => {
    const lines = event.clipboardData.getData("text").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    onPasted(row, input, lines);
  });
}

/** An empty mark, for a list that has nothing to show. */
export const emptyNote = (text) => h("li", { class: "empty" }, text);
