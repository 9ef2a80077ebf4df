// What makes pages better when scripts run: copying, focus on errors, the shard grid's keys.
// Every core task works without it.

// The address bar keeps no trace; the button says what happened, also to a screen reader.
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
  }, 2000);
});

document.querySelector("[data-take-focus]")?.focus();

// The radio tabs of the Get it panel remember the reader's tool.
const way = localStorageGet("way");
const chosen = way && document.getElementById(way);
if (chosen && chosen.type === "radio") chosen.checked = true;
document.addEventListener("change", (event) => {
  if (event.target.name !== "way") return;
  try {
    localStorage.setItem("way", event.target.id);
  } catch {
    // it is then forgotten
  }
});

function localStorageGet(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

// Shard grid: one tab stop, arrow keys inside, and a line that tells the cell in focus.
for (const grid of document.querySelectorAll("[data-shards]")) {
  const rows = [...grid.querySelectorAll(".shards__cells")].map((row) => [...row.children]);
  const readout = document.getElementById(grid.dataset.shards);
  const tell = (cell) => {
    readout.textContent = cell.title;
  };
  const place = (cell) => {
    const row = rows.findIndex((cells) => cells.includes(cell));
    return [row, row < 0 ? -1 : rows[row].indexOf(cell)];
  };
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  rows.flat().forEach((cell, index) => cell.setAttribute("tabindex", index ? "-1" : "0"));
  grid.addEventListener("pointerover", (event) => {
    const cell = event.target.closest(".shards__cells a");
    if (cell) tell(cell);
  });
  grid.addEventListener("focusin", (event) => {
    const cell = event.target.closest(".shards__cells a");
    if (cell) tell(cell);
  });
  grid.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    const [row, column] = place(event.target);
    if (!step || row < 0) return;
    const next = rows[row + step[0]]?.[column + step[1]];
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

// What is still going on is asked for again every few seconds, as long as somebody looks; when
// the page no longer has it, it has ended, and the whole page shows what came of it.
const LIVE_EVERY = 3000;

async function renew(part) {
  await new Promise((later) => setTimeout(later, LIVE_EVERY));
  if (!document.hidden) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (!fresh) return location.reload();
      part.replaceChildren(...fresh.childNodes);
    }
  }
  return renew(part);
}
for (const part of document.querySelectorAll("[data-live]")) renew(part);
