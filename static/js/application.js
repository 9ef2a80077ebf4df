// Autosave of the application form: when a field loses focus and every twenty seconds.
// The server keeps what was typed whether or not it is valid yet; see accounts/views.
const form = document.querySelector("form[data-autosave]");
if (form) {
  const mark = document.getElementById("autosave-mark");
  const version = form.elements.seen_version;
  let saved = snapshot();
  let busy = false;
  let stopped = false;

  function snapshot() {
    const data = new FormData(form);
    data.delete("csrfmiddlewaretoken");
    data.delete("seen_version");
    return new URLSearchParams(data).toString();
  }

  async function save() {
    const now = snapshot();
    if (busy || stopped || now === saved) return;
    busy = true;
    const body = new FormData(form);
    body.set("action", "save");
    try {
      const answer = await fetch(location.href, {
        method: "POST",
        body,
        headers: { Accept: "application/json" },
      });
      const told = await answer.json();
      if (answer.ok) {
        saved = now;
        version.value = told.version;
        mark.textContent = `Saved ${told.saved_at}`;
      } else {
        // Another window saved, or the application has moved on: only a person can decide.
        stopped = true;
        mark.textContent = told.error;
      }
    } catch {
      mark.textContent = "Not saved: no connection. It will be tried again.";
    } finally {
      busy = false;
    }
  }

  form.addEventListener("focusout", save);
  const timer = setInterval(save, 20_000);
  form.addEventListener("submit", () => {
    stopped = true;
    clearInterval(timer);
  });
}
