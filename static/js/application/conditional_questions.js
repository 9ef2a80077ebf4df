// Hide questions that depend on another answer. The server decides by itself which questions apply.
const form = document.querySelector("form[data-autosave]");
const conditional = [...form.querySelectorAll("[data-shown-if]")];

const normalised = (text) => text.trim().toLowerCase();

function answers(key) {
  const field = form.elements[key];
  if (field.type === "checkbox") return [field.checked ? "yes" : "no"];
  return new FormData(form).getAll(key);
}

function arrange() {
  for (const part of conditional) {
    const { shownIf: key, shownValue: expected } = part.dataset;
    if (!form.elements[key]) continue; // a question of another step
    part.hidden = !answers(key).some((answer) => normalised(answer) === normalised(expected));
  }
}

arrange();
form.addEventListener("input", arrange);
