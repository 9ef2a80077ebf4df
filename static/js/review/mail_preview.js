// Show the mail that the decision would send, as the reviewer writes it.
import { form, chosenVerdict } from "./decision.js";

const DELAY = 300;
let requests = 0;
let timer;
let outdated = false;

/** Whether the form changed since the preview was made. */
export const isOutdated = () => outdated;

/** Ask for the preview now and show it. */
export async function refresh() {
  clearTimeout(timer);
  const radio = form.querySelector('[name="verdict"]:checked');
  if (!radio) return;
  const request = ++requests;
  const preview = await load(radio.dataset.preview);
  if (request !== requests) return; // a later request is under way
  outdated = false;
  show(preview);
}

async function load(address) {
  const response = await fetch(address, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
  }).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}

function show(preview) {
  const mail = form.querySelector(".mail");
  const missing = form.querySelector(".decide-missing");
  mail.hidden = !preview?.text;
  form.elements.seen.value = preview?.seen ?? "";
  if (!preview) {
    missing.textContent = "The mail cannot be shown now; use the button to preview it.";
    return;
  }
  const [first = "", ...others] = preview.to;
  mail.querySelector(".mail-to").textContent =
    others.length ? `${first} and ${others.length} more` : first;
  mail.querySelector(".mail-subject").textContent = preview.subject;
  mail.querySelector(".mail-text").textContent = preview.text;
  const until = document.getElementById("until");
  if (until) until.textContent = preview.until ? `until ${preview.until}` : "";
  missing.textContent = preview.missing.join(" ");
}

function schedule() {
  outdated = true;
  clearTimeout(timer);
  timer = setTimeout(refresh, DELAY);
}

if (form) {
  form.dataset.live = ""; // hides the buttons that preview without scripts
  // Remarks stand beside the answers, outside the form.
  document.addEventListener("input", ({ target }) => {
    const isInternal = target.name === "internal_note" || target.name?.startsWith("check_");
    if (target.form === form && !isInternal) schedule();
  });
  if (chosenVerdict()) refresh();
}
