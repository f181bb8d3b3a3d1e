// Authentication: by Django's session, or on a demo site by a token of this device, renewed before it expires.

import { config } from "./config.js";
import { Problem, isProblemBody, networkProblem, unreadableProblem } from "./problem.js";
import { localStore, randomId, sessionStore } from "./storage.js";

const SESSION_KEY = "diag.session";
const DEVICE_KEY = "diag.device";
const RENEWAL_MARGIN_MS = 60_000;
const TIMEOUT_MS = 30_000;

let pendingSignIn = null;

/** Whether the page can renew the token itself. */
export const canRenew = config.demo && !config.signed_in;

// A diagnosis that was started in a terminal passes its device id to one tab, `/diagnoses/<id>/#device=<id>`, and that tab
// to those that are opened from it.
function adoptDevice() {
  const device = new URLSearchParams(location.hash.slice(1)).get("device");
  if (!device) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!canRenew || !/^[\w.-]{8,64}$/.test(device)) return;
  sessionStore.remove(SESSION_KEY);
  sessionStore.set(DEVICE_KEY, device);
}

adoptDevice();
// Opening the same address with another fragment does not reload the page.
window.addEventListener("hashchange", () => location.hash.startsWith("#device=") && location.reload());

const store = sessionStore.get(DEVICE_KEY) ? sessionStore : localStore;

/** Add the device of this tab to a link to another page, which may be opened in a new tab. */
function passDevice(event) {
  const link = event.target.closest?.("a[href^='/']:not([target])");
  if (link && !link.hash) link.hash = `device=${sessionStore.get(DEVICE_KEY)}`;
}

if (canRenew && store === sessionStore) {
  for (const name of ["pointerdown", "focusin"]) document.addEventListener(name, passDevice);
}

function getDeviceId() {
  let id = store.get(DEVICE_KEY);
  if (!id) {
    id = randomId();
    store.set(DEVICE_KEY, id);
  }
  return id;
}

function getStoredToken() {
  const session = store.get(SESSION_KEY);
  if (!session?.token) return null;
  return Date.parse(session.expires_at) - Date.now() > RENEWAL_MARGIN_MS ? session.token : null;
}

async function signIn() {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": config.language, "X-CSRFToken": config.csrf_token },
    body: JSON.stringify({ device_id: getDeviceId() }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => {
    throw networkProblem();
  });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw isProblemBody(body) ? new Problem(body) : unreadableProblem();
  if (!body?.token) throw unreadableProblem();
  store.set(SESSION_KEY, { token: body.token, expires_at: body.expires_at });
  return body.token;
}

/** Return the bearer token, or null where Django's session authenticates the user. Concurrent callers share one sign-in. */
export async function getToken({ renew = false } = {}) {
  if (!canRenew) return null;
  const token = renew ? null : getStoredToken();
  if (token) return token;
  pendingSignIn ??= signIn().finally(() => {
    pendingSignIn = null;
  });
  return pendingSignIn;
}

/** Return the headers that authenticate a request. */
export async function getAuthHeaders(method, { renew = false } = {}) {
  const token = await getToken({ renew });
  if (token) return { Authorization: `Bearer ${token}` };
  return method === "GET" ? {} : { "X-CSRFToken": config.csrf_token };
}

/** Forget the token and the device of a deleted account. */
export function forgetSession() {
  store.remove(SESSION_KEY);
  store.remove(DEVICE_KEY);
}

/** Go to the sign-in page, which returns to this one. */
export function goToSignIn() {
  if (canRenew) {
    store.remove(SESSION_KEY);
    location.reload();
    return;
  }
  const here = location.pathname + location.search;
  location.assign(`${config.urls.login}?next=${encodeURIComponent(here)}`);
}
