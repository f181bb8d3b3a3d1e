// What all pages of a workspace share: its id, its name at the top, and what the caller may do.

import { byId, setText } from "../common/dom.js";
import { demoTag } from "../common/elements.js";
import { getWorkspace } from "./api.js";

export const workspaceId = byId("main").dataset.workspace;

/** Whether the caller may change the questions, names and schedules of this workspace. */
export const canEdit = ({ role }) => role !== "viewer";

/** Whether the caller may also change members, links, budget, and delete the workspace. */
export const isOwner = ({ role }) => role === "owner";

/** Show the name above the navigation and in the title of the page. */
export function showWorkspace({ name, demo }) {
  setText(byId("workspace-name"), name);
  byId("workspace-demo").replaceChildren(...(demo ? [demoTag()] : []));
  const [title, ...rest] = document.title.split(" · ");
  document.title = [title, name, rest[rest.length - 1]].join(" · ");
}

/** Load the workspace with the caller's role, show its name, and return it. */
export async function loadWorkspace() {
  const workspace = await getWorkspace(workspaceId);
  showWorkspace(workspace);
  return workspace;
}
