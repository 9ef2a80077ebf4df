// Claim the application when its review starts, that is when a verdict is chosen.
import { form } from "./decision.js";

let pending;

/** The claim that is under way, if one is. */
export const pendingClaim = () => pending;

/** Claim the application, unless it is claimed already. */
export function claimOnce() {
  if (!form.dataset.claim) return;
  pending = claim(form.dataset.claim).finally(() => {
    pending = undefined;
  });
  delete form.dataset.claim;
}

async function claim(address) {
  const response = await fetch(address, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
  }).catch(() => null);
  const payload = await response?.json().catch(() => null); // a sign-in page is not JSON
  const claimed = Boolean(payload && response.ok);
  showResult(claimed, payload?.said);
  if (claimed) offerRelease();
}

function showResult(claimed, reason) {
  const facts = document.querySelector(".review-facts");
  const note = document.createElement("span");
  note.setAttribute("role", "status");
  if (claimed) {
    note.textContent = "claimed by you";
    facts.querySelector(".state").textContent = "In review";
  } else {
    note.textContent = reason ?? "it could not be claimed: reload the page";
    note.className = "late";
  }
  facts.append(note);
}

// The button that claimed releases from now on.
function offerRelease() {
  const button = document.querySelector('button[form="claim"]');
  if (!button) return;
  button.form.action = button.dataset.then;
  button.textContent = "Release";
  delete button.dataset.key;
}
