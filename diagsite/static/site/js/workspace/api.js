// The calls of the HTTP API about a workspace; see common/api.js for what they return and throw.

import { buildQuery, request } from "../common/api.js";

const call = (method, workspace, path, options) => request(method, `/api/workspaces/${workspace}${path}`, options);

export const getWorkspace = (workspace) => call("GET", workspace, "");

/** `filters` is `{panel, surface}`. */
export const getOverview = (workspace, filters) => call("GET", workspace, `/overview${buildQuery(filters)}`);

export const changeAction = (workspace, id, body) => call("PATCH", workspace, `/actions/${id}`, { body });

export const listPanels = (workspace) => call("GET", workspace, "/panels");

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
