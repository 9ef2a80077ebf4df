// The tabs of the Get it panel remember the reader's tool. Storage may be switched off; then they do not.
const KEY = "way";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(id) {
  try {
    localStorage.setItem(KEY, id);
  } catch {
    // not remembered
  }
}

const id = stored();
const tab = id && document.getElementById(id);
if (tab?.type === "radio") tab.checked = true;
document.addEventListener("change", ({ target }) => {
  if (target.name === "way") store(target.id);
});
