// The actions on a report: export as a file, print, and share by a link.

import { fetchFile, preparePrint } from "../common/api.js";
import { config, _ } from "../common/config.js";
import { announce, byId, h } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { ShareDialog } from "./share_dialog.js";

const REVOKE_DELAY_MS = 60_000; // the browser may still read the file after the click

function getFileName(response) {
  const header = response.headers.get("Content-Disposition") || "";
  const [, encoded] = header.match(/filename\*=utf-8''([^;]+)/i) || [];
  const [, plain] = header.match(/filename="([^"]+)"/i) || [];
  return encoded ? decodeURIComponent(encoded) : plain || "report";
}

/** Download a file. A plain link would lack the header that authenticates the user. */
async function download(url) {
  const response = await fetchFile(url);
  const objectUrl = URL.createObjectURL(await response.blob());
  h("a", { href: objectUrl, download: getFileName(response) }).click();
  setTimeout(() => URL.revokeObjectURL(objectUrl), REVOKE_DELAY_MS);
}

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

/** With a session the link itself works. With a token the page needs a ticket, and the tab must be opened by the click. */
async function print(event, diagnosisId) {
  if (config.signed_in) return;
  event.preventDefault();
  const tab = window.open("", "_blank");
  try {
    const { url } = await preparePrint(diagnosisId);
    if (tab) tab.location = url;
    else window.location.assign(url);
  } catch (error) {
    tab?.close();
    showProblem(error, { actions: { retry: () => byId("open-print").click() } });
  }
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
  byId("open-print").addEventListener("click", (event) => print(event, diagnosisId));
  new ShareDialog(diagnosisId);
}
