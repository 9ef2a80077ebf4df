// The number of characters under a text with limits. The server counts code points, as here. A screen reader is
// told after a pause, not at every key.
const PAUSE = 800;

for (const mark of document.querySelectorAll("[data-count-for]")) {
  const field = document.getElementById(mark.dataset.countFor);
  const [least, most] = [Number(mark.dataset.least), Number(mark.dataset.most)];
  const limits = mark.textContent.trim();
  let timer = null;

  const say = () => {
    const length = [...field.value.trim()].length;
    if (length === 0) mark.textContent = limits;
    else if (length < least) mark.textContent = `${length} characters; ${least - length} more needed`;
    else if (length > most) mark.textContent = `${length} characters; ${length - most} too many`;
    else mark.textContent = `${length} of ${most} characters`;
  };
  field?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(say, PAUSE);
  });
  if (field?.value) say();
}
