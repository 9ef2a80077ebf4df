// The application form made better: it saves itself when a field loses focus and every twenty
// seconds, and hides questions that wait for another answer. The server keeps what was typed
// whether or not it is valid yet, and decides by itself what is asked; see accounts/filling.py.
const form = document.querySelector("form[data-autosave]");
if (form) {
  const mark = document.getElementById("autosave-mark");
  let saved = snapshot();
  let running = null;
  let stopped = false;

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

  async function send(now, leaving) {
    try {
      const answer = await fetch(location.pathname, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        keepalive: leaving,
      });
      const told = await answer.json();
      if (answer.ok) {
        saved = now;
        form.elements.seen.value = told.seen;
        mark.textContent = told.warning || `Saved ${told.saved_at}`;
      } else {
        // Another window saved, or the application has moved on: only a person can decide.
        stopped = true;
        mark.textContent = told.error || "Not saved. Reload the page.";
      }
    } catch {
      mark.textContent = "Not saved yet. It will be tried again.";
    }
  }

  const conditional = [...form.querySelectorAll("[data-shown-if]")];
  function arrange() {
    const data = new FormData(form);
    for (const part of conditional) {
      const { shownIf: key, shownValue: wanted } = part.dataset;
      if (!form.elements[key]) continue; // asked on another step
      const box = form.elements[key].type === "checkbox";
      const given = box ? [form.elements[key].checked ? "yes" : "no"] : data.getAll(key);
      part.hidden = !given.some((one) => one.trim().toLowerCase() === wanted.trim().toLowerCase());
    }
  }

  arrange();
  form.addEventListener("input", arrange);
  form.addEventListener("focusout", () => save());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save(true);
  });
  const timer = setInterval(() => save(), 20_000);
  // Leaving a field for a button saves and submits at once: the answer of the first carries the
  // mark that the second needs, so as not to be taken for another window.
  let waiting = false;
  form.addEventListener("submit", (event) => {
    stopped = true;
    clearInterval(timer);
    if (!running) return;
    event.preventDefault();
    if (waiting) return;
    waiting = true;
    running.then(() => form.requestSubmit(event.submitter));
  });
}
