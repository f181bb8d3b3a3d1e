// Who is asking: a Django session, or on a demo site a token for this device, renewed before it ends.

import { config } from "./config.js";
import { Problem, isProblemBody, networkProblem, unreadableProblem } from "./problem.js";
import { kept, passing, randomId } from "./storage.js";

const SESSION = "diag.session";
const DEVICE = "diag.device";
const MARGIN_MS = 60_000;
const TIMEOUT_MS = 30_000;

let pending = null;

/** Whether a token can be renewed here without asking the person. */
export const canRenew = config.demo && !config.signed_in;

// A terminal that ran a diagnosis may hand its device over, for this tab only: `/diagnoses/<id>/#device=<id>`.
function adoptDevice() {
  const given = new URLSearchParams(location.hash.slice(1)).get("device");
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!canRenew || !/^[\w.-]{8,64}$/.test(given)) return;
  passing.remove(SESSION);
  passing.set(DEVICE, given);
}

adoptDevice();
// The same address again, with a device this time, does not load the page by itself.
window.addEventListener("hashchange", () => location.hash.startsWith("#device=") && location.reload());

const store = passing.get(DEVICE) ? passing : kept;

function deviceId() {
  let id = store.get(DEVICE);
  if (!id) {
    id = randomId();
    store.set(DEVICE, id);
  }
  return id;
}

function storedToken() {
  const session = store.get(SESSION);
  if (!session?.token) return null;
  return Date.parse(session.expires_at) - Date.now() > MARGIN_MS ? session.token : null;
}

async function signIn() {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": config.language, "X-CSRFToken": config.csrf_token },
    body: JSON.stringify({ device_id: deviceId() }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => {
    throw networkProblem();
  });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw isProblemBody(body) ? new Problem(body) : unreadableProblem();
  if (!body?.token) throw unreadableProblem();
  store.set(SESSION, { token: body.token, expires_at: body.expires_at });
  return body.token;
}

/** The bearer token, or null where Django's session speaks for the person. One sign-in at a time. */
export async function getToken({ renew = false } = {}) {
  if (!canRenew) return null;
  const token = renew ? null : storedToken();
  if (token) return token;
  pending ??= signIn().finally(() => {
    pending = null;
  });
  return pending;
}

/** The headers that prove who is asking. */
export async function authHeaders(method, { renew = false } = {}) {
  const token = await getToken({ renew });
  if (token) return { Authorization: `Bearer ${token}` };
  return method === "GET" ? {} : { "X-CSRFToken": config.csrf_token };
}

/** Leaves for the sign-in page and comes back to this one. */
export function goToSignIn() {
  if (canRenew) {
    store.remove(SESSION);
    location.reload();
    return;
  }
  const here = location.pathname + location.search;
  location.assign(`${config.urls.login}?next=${encodeURIComponent(here)}`);
}
