// Swagger UI has dark colours of its own, which a class of the root element turns on.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function apply() {
  const theme = root.dataset.theme ?? (system.matches ? "dark" : "light");
  root.classList.toggle("dark-mode", theme === "dark");
}

system.addEventListener("change", apply);
new MutationObserver(apply).observe(root, { attributeFilter: ["data-theme"] });
apply();
