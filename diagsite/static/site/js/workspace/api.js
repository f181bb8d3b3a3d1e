// The calls of the HTTP API about a workspace; see common/api.js for what they return and throw.

import { buildQuery, request } from "../common/api.js";

const JUDGE_TIMEOUT_MS = 120_000;

const call = (method, workspace, path, options) => request(method, `/api/workspaces/${workspace}${path}`, options);

export const getWorkspace = (workspace) => call("GET", workspace, "");

/** Create a workspace with its first panel and run; `body` is the request of a diagnosis. */
export const startWorkspace = (body, key) => request("POST", "/api/workspaces/start", { body, headers: { "Idempotency-Key": key } });

/** `filters` is `{panel, surface}`. */
export const getOverview = (workspace, filters) => call("GET", workspace, `/overview${buildQuery(filters)}`);

/** `filters` is `{panel, cursor}`. */
export const listRuns = (workspace, filters) => call("GET", workspace, `/runs${buildQuery(filters)}`);

export const changeAction = (workspace, id, body) => call("PATCH", workspace, `/actions/${id}`, { body });

/** `scope` is `{panel, runs, surface}`. */
export const listSources = (workspace, scope) => call("GET", workspace, `/sources${buildQuery(scope)}`);

/** Pages of a host from `scope.cursor` on, with the answers that name them. */
export const listHostPages = (workspace, host, scope) =>
  call("GET", workspace, `/sources/${encodeURIComponent(host)}${buildQuery(scope)}`);

/** Set the kind of a site for this workspace; null restores the default. */
export const classHost = (workspace, host, kind) =>
  call("PUT", workspace, `/sources/${encodeURIComponent(host)}`, { body: { kind } });

/** `filters` is `{state}`; without one, what is open or taken. */
export const listActions = (workspace, filters) => call("GET", workspace, `/actions${buildQuery(filters)}`);

export const listActionAnswers = (workspace, id) => call("GET", workspace, `/actions/${id}/answers`);

export const listMembers = (workspace) => call("GET", workspace, "/members");

export const changeRole = (workspace, member, role) => call("PATCH", workspace, `/members/${member}`, { body: { role } });

export const removeMember = (workspace, member) => call("DELETE", workspace, `/members/${member}`);

export const listInvitations = (workspace) => call("GET", workspace, "/invitations");

/** `body` is `{role, email}`; returns the invitation with its link. */
export const invite = (workspace, body) => call("POST", workspace, "/invitations", { body });

export const revokeInvitation = (workspace, id) => call("DELETE", workspace, `/invitations/${id}`);

export const renameWorkspace = (workspace, name) => call("PATCH", workspace, "", { body: { name } });

export const getBudget = (workspace) => call("GET", workspace, "/budget");

/** `body` is `{calls, money}`, null for no limit. */
export const setBudget = (workspace, body) => call("PUT", workspace, "/budget", { body });

export const getDigest = (workspace) => call("GET", workspace, "/digest");

/** `body` is `{every, channel}`. */
export const setDigest = (workspace, body) => call("PUT", workspace, "/digest", { body });

export const endDigest = (workspace) => call("DELETE", workspace, "/digest");

export const exportPath = (workspace) => `/api/workspaces/${workspace}/export.zip`;

export const deleteWorkspace = (workspace, name) => call("POST", workspace, "/deletion", { body: { name } });

export const undoDeletion = (workspace) => call("DELETE", workspace, "/deletion");

export const listOverviewShares = (workspace) => call("GET", workspace, "/shares");

export const createOverviewShare = (workspace, days) => call("POST", workspace, "/shares", { body: { days } });

export const revokeOverviewShare = (workspace, share) => call("DELETE", workspace, `/shares/${share}`);

export const prepareOverviewPrint = (workspace) => call("POST", workspace, "/print");

export const listQuestions = (workspace, archived) => call("GET", workspace, `/questions${buildQuery({ archived })}`);

export const addQuestion = (workspace, body) => call("POST", workspace, "/questions", { body });

/** `etag` is that of the question that was edited: 409 if it has changed since. */
export const changeQuestion = (workspace, { id, etag }, body) =>
  call("PATCH", workspace, `/questions/${id}`, { body, headers: { "If-Match": etag } });

/** `body` is `{content, format}`. */
export const previewImport = (workspace, body) => call("POST", workspace, "/questions/preview", { body });

export const importQuestions = (workspace, body) => call("POST", workspace, "/questions/import", { body });

export const suggestQuestions = (workspace, product) => call("GET", workspace, `/questions/suggest${buildQuery({ product })}`);

/** A paid call of the judge. */
export const askJudgeForQuestions = (workspace, product) =>
  call("POST", workspace, "/questions/suggest", { body: { product }, timeoutMs: JUDGE_TIMEOUT_MS });

/** The competitors of earlier diagnoses, and the judge with its price. */
export const getSuggestions = (brand) => request("GET", `/api/suggestions${buildQuery({ brand })}`);

/** A paid call of the judge; `body` is `{brand, product}`. */
export const askJudge = (body) => request("POST", "/api/suggestions", { body, timeoutMs: JUDGE_TIMEOUT_MS });

export const listTags = (workspace) => call("GET", workspace, "/tags");

export const deleteTag = (workspace, name) => call("DELETE", workspace, `/tags/${encodeURIComponent(name)}`);

export const listPanels = (workspace) => call("GET", workspace, "/panels");

export const createPanel = (workspace, body) => call("POST", workspace, "/panels", { body });

export const changePanel = (workspace, id, body) => call("PUT", workspace, `/panels/${id}`, { body });

export const archivePanel = (workspace, id) => call("DELETE", workspace, `/panels/${id}`);

export const runPanel = (workspace, id, key) =>
  call("POST", workspace, `/panels/${id}/runs`, { headers: { "Idempotency-Key": key } });

/** The names with their version, and the progress of the recount. */
export const getNames = (workspace) => call("GET", workspace, "/brands");

export const previewNames = (workspace, brands) => call("POST", workspace, "/names/preview", { body: { brands } });

/** `body` is `{brands, names_version, recount_old}`. */
export const applyNames = (workspace, body) => call("POST", workspace, "/names/apply", { body });

export const undoNames = (workspace, version) => call("POST", workspace, "/names/undo", { body: { names_version: version } });

export const listCandidates = (workspace, state) => call("GET", workspace, `/candidates${buildQuery({ state })}`);

/** `action` is "accept", "merge", "ignore" or "restore"; `body` has the names_version, and for a merge the brand. */
export const decideCandidate = (workspace, id, action, body) => call("POST", workspace, `/candidates/${id}/${action}`, { body });
