// Light or dark: what the reader chose last, else what the system prefers. Loaded in the
// head without defer, so that the page is never painted in the other one first.
(() => {
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be switched off
    }
  };
  const isDark = () =>
    (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "")) ===
    "dark";

  root.classList.add("js");
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-switch]");
    if (!button) return;
    root.dataset.theme = isDark() ? "light" : "dark";
    button.setAttribute("aria-pressed", String(isDark()));
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // the choice then lasts for this page
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    document
      .querySelector("[data-theme-switch]")
      ?.setAttribute("aria-pressed", String(isDark()));
  });
})();
