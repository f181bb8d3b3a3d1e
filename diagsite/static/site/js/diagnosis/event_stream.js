// The shared socket client, wired to this page's life.

import { getToken } from "../common/session.js";

// A tab in the background keeps its connection; only a page that the browser puts away lets go of it.
function followPage(client) {
  const wires = [
    [window, "online", () => client.networkChanged(true)],
    [window, "offline", () => client.networkChanged(false)],
    [window, "pagehide", () => client.hide()],
    [window, "pageshow", (event) => event.persisted && client.show()],
    [document, "freeze", () => client.hide()],
    [document, "resume", () => client.show()],
  ];
  for (const [target, name, fn] of wires) target.addEventListener(name, fn);
  return () => wires.forEach(([target, name, fn]) => target.removeEventListener(name, fn));
}

/** Follows a stream from its first event until it ends; returns how to stop. */
export function follow(stream, { onEvents, onState, onReset, onFatal }) {
  const { webSocketClient, browserTransport } = window.diag;
  const client = webSocketClient.createClient({
    stream,
    transport: browserTransport.createBrowserTransport({ baseUrl: location.origin }),
    getToken,
    after: 0,
    epoch: null,
    onEvents,
    onState,
    onReset,
    onFatal,
  });
  const unwire = followPage(client);
  client.start();
  return () => {
    unwire();
    client.close();
  };
}
