// Small elements that several pages use.

import { _ } from "./config.js";
import { h } from "./dom.js";
import { dateTimeText, statusLabel } from "./format.js";

/** A `<time>` in the user's time zone. */
export const dateTime = (iso) => h("time", { datetime: iso }, dateTimeText(iso));

/** A status as a chip; its shape and text say it, not its colour alone. */
export const statusChip = (status) => h("span", { class: "chip status", "data-status": status }, statusLabel(status));

/** The mark on everything that comes from the demo platform. */
export const demoTag = () => h("span", { class: "chip demo-tag" }, _("演示"));

/** The only item of a list that has nothing to show. */
export const emptyItem = (text) => h("li", { class: "empty" }, text);
