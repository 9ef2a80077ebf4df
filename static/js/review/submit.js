// Choosing a verdict starts the review; sending waits for the claim and for a current preview.
import { form, chosenVerdict, sendButton } from "./decision.js";
import { claimOnce, pendingClaim } from "./claim.js";
import { isOutdated, refresh } from "./mail_preview.js";

let sent = false;

// The page does not scroll; what is read next comes into view in the side column.
function reveal() {
  const side = document.querySelector(".review-side");
  if (getComputedStyle(side).overflowY !== "auto") return;
  const end = form.offsetTop + form.offsetHeight - side.clientHeight;
  side.scrollTop = chosenVerdict() === "approve" ? end : form.offsetTop;
}

async function send(event) {
  if (event.submitter?.matches(".decide-default")) {
    event.preventDefault(); // Enter in a field moves to the button, and decides nothing
    sendButton()?.focus();
    return;
  }
  if (!isOutdated() && !pendingClaim()) {
    if (sent) event.preventDefault(); // two hurried presses send one decision
    sent = true;
    return;
  }
  event.preventDefault();
  await pendingClaim();
  if (isOutdated()) await refresh();
  form.requestSubmit(event.submitter);
}

form?.addEventListener("change", ({ target }) => {
  if (target.name !== "verdict") return;
  refresh().then(reveal);
  claimOnce();
});
form?.addEventListener("submit", send);
// After the browser's back button the form can be sent again.
addEventListener("pageshow", () => {
  sent = false;
});
