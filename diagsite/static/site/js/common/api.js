// The calls of the HTTP API: each returns the JSON of a successful response and throws a Problem otherwise.

import { config } from "./config.js";
import { Problem, isProblemBody, networkProblem, timeoutProblem, unreadableProblem } from "./problem.js";
import { canRenew, getAuthHeaders } from "./session.js";

const TIMEOUT_MS = 30_000;
const FILE_TIMEOUT_MS = 300_000;

async function send(method, path, { body, headers, signal, renew, timeoutMs = TIMEOUT_MS }) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const auth = await getAuthHeaders(method, { renew });
  const options = {
    method,
    headers: { Accept: "application/json", "Accept-Language": config.language, ...auth, ...headers },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw timeout.aborted ? timeoutProblem() : networkProblem();
  }
}

async function readBody(response) {
  if (response.status === 204) return null;
  const body = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  throw isProblemBody(body) ? new Problem(body) : unreadableProblem();
}

/** The answer that the page itself contains; once, since a second request wants the current one. */
function takePreloaded(path) {
  const body = config.preloaded?.[path];
  delete config.preloaded?.[path];
  return body;
}

/** Send a request, signed in again where the session has expired. `options` is `{body, headers, signal, timeoutMs, isFile}`. */
export async function request(method, path, options = {}) {
  const preloaded = method === "GET" && takePreloaded(path);
  if (preloaded) return preloaded;
  let response = await send(method, path, options);
  if (response.status === 401 && canRenew) response = await send(method, path, { ...options, renew: true });
  return response.ok && options.isFile ? response : readBody(response);
}

/** `{a: 1, b: ""}` -> `?a=1` */
export const buildQuery = (values) => {
  const present = Object.entries(values).filter(([, value]) => value);
  return present.length ? `?${new URLSearchParams(present)}` : "";
};

export const listPlatforms = () => request("GET", "/api/platforms");

export const listDiagnoses = (filters, signal) => request("GET", `/api/diagnoses${buildQuery(filters)}`, { signal });

export const getDiagnosis = (id) => request("GET", `/api/diagnoses/${id}`);

/** A page of the pages that answers rest on; `filters` is `{surface, host, cursor}`. */
export const listSources = (id, filters) => request("GET", `/api/diagnoses/${id}/sources${buildQuery(filters)}`);

export const getReport = (id) => request("GET", `/api/diagnoses/${id}/report`);

export const createDiagnosis = (body, key) =>
  request("POST", "/api/diagnoses", { body, headers: { "Idempotency-Key": key } });

export const cancelDiagnosis = (id) => request("POST", `/api/diagnoses/${id}/cancel`);

export const retryDiagnosis = (id, key) =>
  request("POST", `/api/diagnoses/${id}/retry`, { headers: { "Idempotency-Key": key } });

export const getTrend = (id, surface) => request("GET", `/api/diagnoses/${id}/trend${buildQuery({ surface })}`);

export const getComparison = (a, b, surface) => request("GET", `/api/compare${buildQuery({ a, b, surface })}`);

export const listWorkspaces = () => request("GET", "/api/workspaces");

/** Become a member; returns the workspace. */
export const acceptInvitation = (token) => request("POST", "/api/invitations/accept", { body: { token } });

export const listSchedules = () => request("GET", "/api/schedules");

export const estimateSchedule = (body, signal) => request("POST", "/api/schedules/estimate", { body, signal });

export const createSchedule = (body) => request("POST", "/api/schedules", { body });

export const pauseSchedule = (id) => request("POST", `/api/schedules/${id}/pause`);

export const resumeSchedule = (id) => request("POST", `/api/schedules/${id}/resume`);

export const deleteSchedule = (id) => request("DELETE", `/api/schedules/${id}`);

export const getConsent = () => request("GET", "/api/consent");

export const acceptDocuments = (version) => request("POST", "/api/consent", { body: { version } });

export const listFeedback = () => request("GET", "/api/feedback");

export const sendFeedback = (body) => request("POST", "/api/feedback", { body });

export const deleteAccount = () => request("DELETE", "/api/account", { body: { confirm: "DELETE" } });

export const listNotifications = () => request("GET", "/api/notices");

export const markNotificationsRead = (ids) => request("POST", "/api/notices/read", { body: { ids } });

export const listShares = (id) => request("GET", `/api/diagnoses/${id}/shares`);

export const createShare = (id, days) => request("POST", `/api/diagnoses/${id}/shares`, { body: { days } });

export const revokeShare = (id, share) => request("DELETE", `/api/diagnoses/${id}/shares/${share}`);

export const preparePrint = (id) => request("POST", `/api/diagnoses/${id}/print`);

/** Return the response with a file, whose body is not read yet. */
export const fetchFile = (path) => request("GET", path, { timeoutMs: FILE_TIMEOUT_MS, isFile: true });

export const suggestCompetitors = (brand) => request("GET", `/api/suggestions${buildQuery({ brand })}`);

export const checkQuestions = (body, signal) => request("POST", "/api/questions/check", { body, signal });

export const listCorrections = (id) => request("GET", `/api/diagnoses/${id}/corrections`);

/** `kind` is "confirm" or "reject"; `mention` is `{answer, brand, start, end}`. */
export const correctMention = (id, kind, mention) =>
  request("POST", `/api/diagnoses/${id}/corrections`, { body: { kind, ...mention } });

export const addAlias = (id, brand, alias) =>
  request("POST", `/api/diagnoses/${id}/corrections`, { body: { kind: "alias", brand, alias } });

export const undoCorrection = (id, correction) => request("DELETE", `/api/diagnoses/${id}/corrections/${correction}`);

export const addCompetitor = (id, name) => request("POST", `/api/diagnoses/${id}/competitors`, { body: { name } });

export const removeCompetitor = (id, name) =>
  request("DELETE", `/api/diagnoses/${id}/competitors/${encodeURIComponent(name)}`);

/** All answers of a diagnosis without their texts. */
export const listAnswerSummaries = (id) => request("GET", `/api/diagnoses/${id}/answers/summary`);

/** Yield every stored answer of a diagnosis, or those to one question, loading page by page. */
export async function* iterateAnswers(id, question = null) {
  let cursor = null;
  do {
    const page = await request("GET", `/api/diagnoses/${id}/answers${buildQuery({ question, cursor })}`);
    yield* page.items;
    cursor = page.next;
  } while (cursor);
}
