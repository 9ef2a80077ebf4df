// The review page by keyboard, and the mail as it is written. All of it works without.

const form = document.getElementById("decide");
const chosen = () => form?.querySelector('[name="verdict"]:checked')?.value;
const sender = () => form?.querySelector(`.decide-send[data-verdict="${chosen()}"]`);

// -- the mail that would go ------------------------------------------------------------------

let asked = 0;
let waiting;
let stale = false;
let claiming; // until the portal has answered

async function preview() {
  clearTimeout(waiting);
  const radio = form.querySelector('[name="verdict"]:checked');
  if (!radio) return;
  const turn = ++asked;
  let shown;
  try {
    const answer = await fetch(radio.dataset.preview, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(answer.status);
    shown = await answer.json();
  } catch {
    shown = null;
  }
  if (turn !== asked) return; // a later one is on its way
  stale = false;
  show(shown);
}

function show(shown) {
  const mail = form.querySelector(".mail");
  const missing = form.querySelector(".decide-missing");
  mail.hidden = !shown?.text;
  form.elements.seen.value = shown?.seen ?? "";
  if (!shown) {
    missing.textContent = "The mail cannot be shown now; use the button to preview it.";
    return;
  }
  const [first = "", ...others] = shown.to;
  mail.querySelector(".mail-to").textContent =
    others.length ? `${first} and ${others.length} more` : first;
  mail.querySelector(".mail-subject").textContent = shown.subject;
  mail.querySelector(".mail-text").textContent = shown.text;
  const until = document.getElementById("until");
  if (until) until.textContent = shown.until ? `until ${shown.until}` : "";
  missing.textContent = shown.missing.join(" ");
}

// What is read next comes into view, and the page stays: after approve the mail and the
// button, after the others the reasons.
function reveal() {
  const side = document.querySelector(".review-side");
  if (getComputedStyle(side).overflowY !== "auto") return;
  const end = form.offsetTop + form.offsetHeight - side.clientHeight;
  side.scrollTop = chosen() === "approve" ? end : form.offsetTop;
}

function soon() {
  stale = true;
  clearTimeout(waiting);
  waiting = setTimeout(preview, 300);
}

if (form) {
  form.dataset.live = "";
  form.addEventListener("input", (event) => {
    if (event.target.name !== "internal_note" && !event.target.name.startsWith("check_")) soon();
  });
  // Remarks stand beside the answers, outside the form.
  document.addEventListener("input", (event) => {
    if (event.target.form === form && !form.contains(event.target)) soon();
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "verdict") begin();
  });
  let sent = false;
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.matches(".decide-default")) {
      event.preventDefault(); // Enter in a field leads to the button, and decides nothing
      sender()?.focus();
      return;
    }
    if (!stale && !claiming) {
      if (sent) event.preventDefault(); // one decision for two hurried presses
      sent = true;
      return;
    }
    event.preventDefault();
    await claiming;
    if (stale) await preview();
    form.requestSubmit(event.submitter);
  });
  if (chosen()) preview();
  // Coming back by the browser's button, it can be sent again.
  addEventListener("pageshow", () => {
    sent = false;
  });
}

// -- whose desk it is on ---------------------------------------------------------------------

// Choosing a verdict starts the review, and starting claims.
function begin() {
  preview().then(reveal);
  if (!form.dataset.claim) return;
  claiming = claim(form.dataset.claim).finally(() => {
    claiming = undefined;
  });
  delete form.dataset.claim;
}

async function claim(address) {
  const answer = await fetch(address, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
  }).catch(() => null);
  const told = await answer?.json().catch(() => null); // a sign-in page is no answer
  const said = told?.said ?? "it could not be claimed: reload the page";
  const note = document.createElement("span");
  note.setAttribute("role", "status");
  const done = Boolean(told && answer.ok);
  note.textContent = done ? "claimed by you" : said;
  if (done) {
    document.querySelector(".review-facts .state").textContent = "In review";
    offerRelease();
  } else note.className = "late";
  document.querySelector(".review-facts").append(note);
}

// What is claimed can be given back: the same button does it from now on.
function offerRelease() {
  const button = document.querySelector('button[form="claim"]');
  if (!button) return;
  button.form.action = button.dataset.then;
  button.textContent = "Release";
  delete button.dataset.key;
}

// -- keys ------------------------------------------------------------------------------------

const VERDICTS = { a: "approve", r: "return", x: "reject" };

function choose(verdict) {
  const radio = document.getElementById(`verdict-${verdict}`);
  if (!radio) return false;
  if (!radio.checked) radio.click();
  sender()?.focus({ preventScroll: true });
  return true;
}

function allYes() {
  for (const question of form.querySelectorAll(".check")) {
    if (!question.querySelector(":checked")) question.querySelector('[value="yes"]').click();
  }
}

// The n-th question turns from yes to no to unknown; the n-th reason is ticked.
function number(n) {
  if (chosen() !== "approve") {
    form.querySelectorAll(`.reasons.for-${chosen()} input`)[n - 1]?.click();
    return;
  }
  const answers = [...(form.querySelectorAll(".check")[n - 1]?.querySelectorAll("input") ?? [])];
  const now = answers.findIndex((one) => one.checked);
  answers[(now + 1) % answers.length]?.click();
}

function write() {
  const remark = document.querySelector('textarea[name="remark_abstract"]');
  (chosen() === "return" && remark ? remark : document.getElementById("note")).focus();
}

const KEYS = {
  y: () => chosen() && allYes(),
  m: () => chosen() && write(),
  "?": () => {
    const keys = document.getElementById("keys");
    if (!keys) return;
    keys.open = !keys.open;
    keys.scrollIntoView({ block: "nearest" });
  },
  Escape: () => {
    const radio = form?.querySelector('[name="verdict"]:checked');
    if (radio) radio.checked = false;
  },
};

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && chosen()) {
    event.preventDefault();
    form.requestSubmit(sender());
    return;
  }
  if (event.key === "Escape" && field) {
    field.blur();
    sender()?.focus();
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (press(event.key)) event.preventDefault();
});

function press(key) {
  if (form && VERDICTS[key]) return choose(VERDICTS[key]);
  if (KEYS[key]) {
    KEYS[key]();
    return true;
  }
  if (form && chosen() && /^[1-9]$/.test(key)) {
    number(Number(key));
    return true;
  }
  const wanted = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  wanted?.click();
  return Boolean(wanted);
}
