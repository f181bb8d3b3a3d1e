// The one button of the printable page.

document.getElementById("print")?.addEventListener("click", () => window.print());
