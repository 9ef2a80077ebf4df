// Refresh each part marked data-live while its work goes on. The wait grows while nothing changes, and
// requests stop while the tab is hidden. When a fresh page no longer marks the part, the work is done and
// the whole page is loaded again.
const SHORTEST_WAIT = 3_000;
const LONGEST_WAIT = 60_000;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true });
  });
}

async function freshPage() {
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function follow(part) {
  let wait = SHORTEST_WAIT;
  for (;;) {
    await sleep(wait);
    await visible();
    const page = await freshPage();
    const fresh = page?.getElementById(part.id);
    if (page && fresh?.dataset.live === undefined) return location.reload();
    const changed = fresh && fresh.innerHTML !== part.innerHTML;
    if (changed) part.replaceChildren(...fresh.childNodes);
    wait = changed ? SHORTEST_WAIT : Math.min(wait * 1.5, LONGEST_WAIT);
  }
}

document.querySelectorAll("[data-live]").forEach(follow);
