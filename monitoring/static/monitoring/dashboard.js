// Updates the dashboard: follows the staff's event stream with the shared client, over a WebSocket or by polling, and
// reloads the changing part of the page on every event.
(() => {
  "use strict";

  const config = JSON.parse(document.getElementById("dashboard-config").textContent);
  const root = document.getElementById("dashboard");
  const chip = document.getElementById("dashboard-connection");
  const news = document.getElementById("dashboard-news");

  // The page reloads without an event after this time; a healthy site sends one earlier.
  const RELOAD_MS = 60_000;
  const TIMEOUT_MS = 30_000;

  const CHIP_STATES = {
    connecting: "connecting",
    live: "live",
    polling: "polling",
    offline: "lost",
  };

  let isLoading = false;
  let isStale = false;
  let loadedAt = Date.now();

  function showState(state) {
    const shown = CHIP_STATES[state];
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

  // Keeps opened details, scroll positions and the focus.
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

  async function reload() {
    if (document.hidden || isLoading) {
      isStale = true;
      return;
    }
    isLoading = true;
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
      loadedAt = Date.now();
    } catch {
      showFailure();
    } finally {
      isLoading = false;
    }
    if (isStale) await reload();
  }

  function onEvents(events) {
    for (const [, kind, data] of events) {
      if (kind !== "alert") continue;
      const title = (config.language === "en" && data.title_en) || data.title;
      news.textContent = (data.is_open ? config.words.fired : config.words.resolved) + title;
    }
    reload();
  }

  const { webSocketClient, browserTransport } = window.diag;
  const client = webSocketClient.createClient({
    stream: config.stream,
    transport: browserTransport.createBrowserTransport({ baseUrl: location.origin }),
    getToken: async () => null, // authenticated by the session
    after: config.after,
    epoch: config.epoch,
    onEvents,
    onState: showState,
    onReset: reload,
    onFatal: showFailure,
  });

  window.addEventListener("online", () => client.networkChanged(true));
  window.addEventListener("offline", () => client.networkChanged(false));
  window.addEventListener("pagehide", () => client.hide());
  window.addEventListener("pageshow", (event) => event.persisted && client.show());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isStale) reload();
  });
  setInterval(() => {
    if (Date.now() - loadedAt >= RELOAD_MS) reload();
  }, RELOAD_MS / 4);
  client.start();
})();
