// On a phone each row of an admin list is shown as a card: give every cell the name of its column.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("result_list");
  if (!table) return;
  const names = [...table.querySelectorAll("thead th")].map((head) => head.querySelector(".text")?.textContent.trim() ?? "");
  for (const row of table.querySelectorAll("tbody tr")) {
    [...row.cells].forEach((cell, number) => {
      if (names[number] && !cell.classList.contains("action-checkbox")) cell.dataset.label = names[number];
    });
  }
});
