// The reviewers' queue by keyboard: n opens the next, / searches, Esc leaves the search, j and k
// walk the rows, ? shows the keys.
// Menus show their choice at once; without scripts the button does it.

const form = document.getElementById("changelist-search");
for (const menu of form?.querySelectorAll("select") ?? []) {
  menu.addEventListener("change", () => form.requestSubmit());
}
// What is not chosen does not stand in the address.
form?.addEventListener("submit", () => {
  for (const field of form.querySelectorAll("select, input")) field.disabled = !field.value;
});

const rows = [...document.querySelectorAll("#result_list .field-reference a")];
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (field && event.key === "Escape") field.blur();
  if (field) return;
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    const now = rows.indexOf(document.activeElement);
    rows[Math.max(0, Math.min(rows.length - 1, now + step))]?.focus();
    return;
  }
  if (event.key === "?") {
    const keys = document.getElementById("keys");
    if (!keys) return;
    event.preventDefault();
    keys.open = !keys.open;
    keys.scrollIntoView({ block: "nearest" });
    return;
  }
  const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!wanted) return;
  event.preventDefault();
  if (wanted.matches("input")) wanted.focus();
  else wanted.click();
});
