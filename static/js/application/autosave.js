// The application form saves itself when a field loses focus, every twenty seconds, and when the page is
// left. The server saves what was typed whether or not it is valid yet (accounts/applications/drafts.py).
const INTERVAL = 20_000;
const LONGEST_INTERVAL = 300_000;

const form = document.querySelector("form[data-autosave]");
const mark = document.getElementById("autosave-mark");
let saved = snapshot();
let running = null;
let stopped = false;
let interval = INTERVAL; // grows while the server cannot be reached
let timer = setTimeout(tick, interval);

function snapshot() {
  const data = new FormData(form);
  data.delete("csrfmiddlewaretoken");
  data.delete("seen");
  return new URLSearchParams(data).toString();
}

function save(leaving = false) {
  const now = snapshot();
  if ((running && !leaving) || stopped || now === saved) return;
  running = send(now, leaving).finally(() => {
    running = null;
  });
}

async function tick() {
  save();
  await running;
  if (!stopped) timer = setTimeout(tick, interval);
}

async function send(now, leaving) {
  try {
    const response = await fetch(location.pathname, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      keepalive: leaving,
    });
    const payload = await response.json();
    interval = INTERVAL;
    if (response.ok) {
      saved = now;
      form.elements.seen.value = payload.seen;
      mark.textContent = payload.warning || `Saved ${payload.saved_at}`;
    } else {
      // Another window saved, or the application is no longer editable: only a person can decide.
      stopped = true;
      mark.textContent = payload.error || "Not saved. Reload the page.";
    }
  } catch {
    interval = Math.min(interval * 2, LONGEST_INTERVAL);
    mark.textContent = "Not saved yet. Trying again soon.";
  }
}

form.addEventListener("focusout", () => save());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) save(true);
});

// Leaving a field for a button saves and submits at once. The submission waits for the answer, which
// carries the mark it needs so as not to be taken for another window.
let waiting = false;
form.addEventListener("submit", (event) => {
  stopped = true;
  clearTimeout(timer);
  if (!running) return;
  event.preventDefault();
  if (waiting) return;
  waiting = true;
  running.then(() => form.requestSubmit(event.submitter));
});
