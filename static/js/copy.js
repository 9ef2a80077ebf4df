// Copy buttons. The button reports the result, also to a screen reader.
const SHOWN_FOR = 2000;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = source ? source.textContent.trim() : button.dataset.copy;
  const label = button.getAttribute("aria-label");
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.copied = "";
    button.setAttribute("aria-label", "Copied");
  } catch {
    if (source) getSelection().selectAllChildren(source);
    button.setAttribute("aria-label", "Selected: press Control C to copy");
  }
  setTimeout(() => {
    delete button.dataset.copied;
    button.setAttribute("aria-label", label);
  }, SHOWN_FOR);
});
