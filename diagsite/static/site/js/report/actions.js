// The actions on a report: export as a file, print, and share by a link.

import { createShare, listShares, preparePrint, revokeShare } from "../common/api.js";
import { _ } from "../common/config.js";
import { announce, byId } from "../common/dom.js";
import { download } from "../common/download.js";
import { connectPrint } from "../common/print_link.js";
import { showProblem } from "../common/problem_display.js";
import { ShareDialog } from "./share_dialog.js";

async function exportFile(link) {
  const menu = byId("export-menu");
  menu.open = false;
  menu.querySelector("summary").focus();
  announce(_("正在准备文件…"));
  try {
    await download(link.getAttribute("href"));
    announce(_("文件已下载。"));
  } catch (error) {
    showProblem(error, { actions: { retry: () => exportFile(link) } });
  }
}

function handleExportClick(event) {
  const link = event.target.closest("[data-export]");
  if (!link) return;
  event.preventDefault();
  exportFile(link);
}

function closeMenu(menu, event) {
  const isOutside = event.type === "click" && !menu.contains(event.target);
  const isEscape = event.type === "keydown" && event.key === "Escape" && menu.open;
  if (isOutside || isEscape) menu.open = false;
  if (isEscape) menu.querySelector("summary").focus();
}

/** Show the actions when the report is there. */
export function showReportActions(diagnosisId) {
  const bar = byId("report-actions");
  if (!bar.hidden) return;
  bar.hidden = false;
  const menu = byId("export-menu");
  menu.addEventListener("click", handleExportClick);
  for (const type of ["click", "keydown"]) document.addEventListener(type, (event) => closeMenu(menu, event));
  connectPrint(byId("open-print"), () => preparePrint(diagnosisId));
  new ShareDialog({
    list: () => listShares(diagnosisId),
    create: (days) => createShare(diagnosisId, days),
    revoke: (id) => revokeShare(diagnosisId, id),
  });
}
