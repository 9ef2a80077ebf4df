// Counts down the seconds in which a decision can be undone, then removes its button.
const forms = [...document.querySelectorAll(".undoable")];

function show() {
  for (const form of forms) {
    const seconds = Math.ceil((Date.parse(form.dataset.until) - Date.now()) / 1000);
    if (seconds > 0) form.querySelector("[data-left]").textContent = `(${seconds} s)`;
    else form.querySelector("button")?.remove();
  }
}

show();
if (forms.length) setInterval(show, 1000);
