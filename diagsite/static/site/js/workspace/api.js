// The calls of the HTTP API about a workspace; see common/api.js for what they return and throw.

import { buildQuery, request } from "../common/api.js";

const call = (method, workspace, path, options) => request(method, `/api/workspaces/${workspace}${path}`, options);

export const getWorkspace = (workspace) => call("GET", workspace, "");

/** `filters` is `{panel, surface}`. */
export const getOverview = (workspace, filters) => call("GET", workspace, `/overview${buildQuery(filters)}`);

export const changeAction = (workspace, id, body) => call("PATCH", workspace, `/actions/${id}`, { body });
