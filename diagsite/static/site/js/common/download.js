// Downloads of files that the API returns.

import { fetchFile } from "./api.js";
import { h } from "./dom.js";

const REVOKE_DELAY_MS = 60_000; // the browser may still read the file after the click

function getFileName(response) {
  const header = response.headers.get("Content-Disposition") || "";
  const [, encoded] = header.match(/filename\*=utf-8''([^;]+)/i) || [];
  const [, plain] = header.match(/filename="([^"]+)"/i) || [];
  return encoded ? decodeURIComponent(encoded) : plain || "report";
}

/** Download a file. A plain link would lack the header that authenticates the user. */
export async function download(url) {
  const response = await fetchFile(url);
  const objectUrl = URL.createObjectURL(await response.blob());
  h("a", { href: objectUrl, download: getFileName(response) }).click();
  setTimeout(() => URL.revokeObjectURL(objectUrl), REVOKE_DELAY_MS);
}
