// The shared socket client, connected to the lifecycle of the page.

import { getToken } from "../common/session.js";

// A background tab keeps its connection; a page that the browser freezes or caches closes it.
function listenToPage(client) {
  const listeners = [
    [window, "online", () => client.networkChanged(true)],
    [window, "offline", () => client.networkChanged(false)],
    [window, "pagehide", () => client.hide()],
    [window, "pageshow", (event) => event.persisted && client.show()],
    [document, "freeze", () => client.hide()],
    [document, "resume", () => client.show()],
  ];
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  return () => listeners.forEach(([target, name, listener]) => target.removeEventListener(name, listener));
}

/** Read a stream from its first event to its end; returns a function that stops. */
export function subscribe(stream, { onEvents, onState, onReset, onFatal }) {
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
  const stopListening = listenToPage(client);
  client.start();
  return () => {
    stopListening();
    client.close();
  };
}
