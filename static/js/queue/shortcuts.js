// The queue by keyboard: n opens the next application, / searches, Esc leaves the search, j and k move
// between rows, ? shows the shortcuts.
import { hasModifier, toggleHelp, useAssigned } from "../keyboard.js";

const rows = [...document.querySelectorAll("#result_list .field-reference a")];

function move(step) {
  const current = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, current + step))]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (hasModifier(event)) return;
  const field = event.target.closest("input, select, textarea");
  if (field && event.key === "Escape") field.blur();
  if (field) return;
  const step = { j: 1, k: -1 }[event.key];
  if (step) return move(step);
  const used = event.key === "?" ? toggleHelp() : useAssigned(event.key);
  if (used) event.preventDefault();
});
