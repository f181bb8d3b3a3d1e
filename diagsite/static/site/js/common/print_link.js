// Links to printable pages.

import { config } from "./config.js";
import { showProblem } from "./problem_display.js";

async function print(event, link, prepare) {
  // With a session the link itself works. With a token the page needs a ticket, and the tab must be opened by the click.
  if (config.signed_in) return;
  event.preventDefault();
  const tab = window.open("", "_blank");
  try {
    const { url } = await prepare();
    if (tab) tab.location = url;
    else window.location.assign(url);
  } catch (error) {
    tab?.close();
    showProblem(error, { actions: { retry: () => link.click() } });
  }
}

/** Let a link open its page. `prepare` returns `{url}` with a ticket. */
export function connectPrint(link, prepare) {
  link.addEventListener("click", (event) => print(event, link, prepare));
}
