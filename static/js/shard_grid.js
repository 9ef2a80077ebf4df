// The shard grid: one tab stop, arrow keys inside, and a line of text about the cell in focus.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function enhance(grid) {
  const rows = [...grid.querySelectorAll(".shards__cells")].map((row) => [...row.children]);
  const readout = document.getElementById(grid.dataset.shards);

  function describe(event) {
    const cell = event.target.closest(".shards__cells a");
    if (cell) readout.textContent = cell.title;
  }

  function neighbour(cell, [down, right]) {
    const row = rows.findIndex((cells) => cells.includes(cell));
    return row < 0 ? undefined : rows[row + down]?.[rows[row].indexOf(cell) + right];
  }

  rows.flat().forEach((cell, index) => cell.setAttribute("tabindex", index ? "-1" : "0"));
  grid.addEventListener("pointerover", describe);
  grid.addEventListener("focusin", describe);
  grid.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const next = step && neighbour(event.target, step);
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

document.querySelectorAll("[data-shards]").forEach(enhance);
