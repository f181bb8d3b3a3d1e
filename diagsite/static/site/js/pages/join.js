// The page of an invitation: the button accepts it.

import { acceptInvitation } from "../common/api.js";
import { config } from "../common/config.js";
import { byId, h } from "../common/dom.js";
import { asProblem } from "../common/problem.js";
import { problemCard } from "../common/problem_display.js";

const button = byId("join");

async function join() {
  button.disabled = true;
  try {
    const { id } = await acceptInvitation(byId("main").dataset.token);
    location.assign(`${config.urls.workspaces}${id}/`);
  } catch (error) {
    button.disabled = false;
    const { body } = asProblem(error);
    const reasons = Object.values(body.fields || {}).map((text) => h("p", { class: "field-error" }, text));
    byId("join-problem").replaceChildren(problemCard(body, { actions: { retry: join }, heading: "h2" }), ...reasons);
  }
}

button.addEventListener("click", join);
