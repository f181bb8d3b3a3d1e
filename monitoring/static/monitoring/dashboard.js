// Keeps the dashboard fresh: follows the staff's stream with the shared client, over a socket or by polling, and reads
// the page's changing part again when told that something is new.
(() => {
  "use strict";

  const config = JSON.parse(document.getElementById("dashboard-config").textContent);
  const root = document.getElementById("dashboard");
  const chip = document.getElementById("dashboard-connection");
  const news = document.getElementById("dashboard-news");

  // Without any event for so long, which no healthy site lets happen, the page looks by itself.
  const LOOK_MS = 60_000;
  const TIMEOUT_MS = 30_000;

  const SHOWN = {
    connecting: "connecting",
    live: "live",
    polling: "polling",
    offline: "lost",
  };

  let isReading = false;
  let isStale = false;
  let readAt = Date.now();

  function showState(state) {
    const shown = SHOWN[state];
    chip.hidden = !shown;
    if (!shown || chip.dataset.state === shown) return;
    chip.dataset.state = shown;
    chip.textContent = config.words[shown];
  }

  function showFailure() {
    chip.hidden = false;
    chip.dataset.state = "lost";
    chip.textContent = config.words.failed;
  }

  // What the reader has opened and where they are stays as it was.
  function replaceParts(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const focused = document.activeElement && root.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = [...root.querySelectorAll("details[open][id] .dashboard-scroll")].map((box) => [
      box.closest("details").id,
      box.scrollTop,
    ]);
    for (const details of root.querySelectorAll("details[open][id]")) {
      const same = fresh.getElementById(details.id);
      if (same) same.open = true;
    }
    root.replaceChildren(...fresh.body.childNodes);
    for (const [id, top] of scrolled) {
      const box = document.querySelector(`#${id} .dashboard-scroll`);
      if (box) box.scrollTop = top;
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  async function readAgain() {
    if (document.hidden || isReading) {
      isStale = true;
      return;
    }
    isReading = true;
    isStale = false;
    try {
      const response = await fetch(config.part, {
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error", // to the sign-in page
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      replaceParts(await response.text());
      readAt = Date.now();
    } catch {
      showFailure();
    } finally {
      isReading = false;
    }
    if (isStale) await readAgain();
  }

  function onEvents(events) {
    for (const [, kind, data] of events) {
      if (kind !== "alert") continue;
      const title = (config.language === "en" && data.title_en) || data.title;
      news.textContent = (data.is_open ? config.words.fired : config.words.resolved) + title;
    }
    readAgain();
  }

  const { webSocketClient, browserTransport } = window.diag;
  const client = webSocketClient.createClient({
    stream: config.stream,
    transport: browserTransport.createBrowserTransport({ baseUrl: location.origin }),
    getToken: async () => null, // Django's session speaks
    after: config.after,
    epoch: config.epoch,
    onEvents,
    onState: showState,
    onReset: readAgain,
    onFatal: showFailure,
  });

  window.addEventListener("online", () => client.networkChanged(true));
  window.addEventListener("offline", () => client.networkChanged(false));
  window.addEventListener("pagehide", () => client.hide());
  window.addEventListener("pageshow", (event) => event.persisted && client.show());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isStale) readAgain();
  });
  setInterval(() => {
    if (Date.now() - readAt >= LOOK_MS) readAgain();
  }, LOOK_MS / 4);
  client.start();
})();
