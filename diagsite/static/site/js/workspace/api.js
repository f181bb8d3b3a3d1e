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
