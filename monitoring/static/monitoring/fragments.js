"use strict";
// A button with data-fragment="ID" posts its unsaved form and shows the response in the element with that id.
// Without this script the response opens in a new window.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-fragment]");
  if (!button) return;
  event.preventDefault();
  const target = document.getElementById(button.dataset.fragment);
  const body = new FormData(button.form);
  if (button.name) body.append(button.name, button.value);
  button.disabled = true;
  target.setAttribute("aria-busy", "true");
  target.textContent = "正在计算……";
  try {
    const response = await fetch(button.formAction, { method: "POST", body });
    if (!response.ok) throw new Error(String(response.status));
    target.innerHTML = await response.text();
  } catch (error) {
    target.textContent = `没有算出来（${error.message}），请重试。`;
  } finally {
    button.disabled = false;
    target.removeAttribute("aria-busy");
  }
});
