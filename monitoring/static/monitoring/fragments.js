"use strict";
// A button with data-fragment="ID" posts its form as it stands and shows the answer in the element of that id.
// Without this script the answer opens in a window of its own.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-fragment]");
  if (!button) return;
  event.preventDefault();
  const place = document.getElementById(button.dataset.fragment);
  const body = new FormData(button.form);
  if (button.name) body.append(button.name, button.value);
  button.disabled = true;
  place.setAttribute("aria-busy", "true");
  place.textContent = "正在计算……";
  try {
    const answer = await fetch(button.formAction, { method: "POST", body });
    if (!answer.ok) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
  } catch (error) {
    place.textContent = `没有算出来（${error.message}），请重试。`;
  } finally {
    button.disabled = false;
    place.removeAttribute("aria-busy");
  }
});
