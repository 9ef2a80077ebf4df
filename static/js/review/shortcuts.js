// The review page by keyboard. Every action also has a button.
import { hasModifier, toggleHelp, useAssigned } from "../keyboard.js";
import { form, chosenVerdict, sendButton } from "./decision.js";

const VERDICTS = { a: "approve", r: "return", x: "reject" };

function choose(verdict) {
  const radio = document.getElementById(`verdict-${verdict}`);
  if (!radio) return false;
  if (!radio.checked) radio.click();
  sendButton()?.focus({ preventScroll: true });
  return true;
}

function answerAllYes() {
  for (const question of form.querySelectorAll(".check")) {
    if (!question.querySelector(":checked")) question.querySelector('[value="yes"]').click();
  }
}

// The n-th question turns from yes to no to unknown; the n-th reason is ticked.
function useNumber(n) {
  if (chosenVerdict() !== "approve") {
    form.querySelectorAll(`.reasons.for-${chosenVerdict()} input`)[n - 1]?.click();
    return;
  }
  const answers = [...(form.querySelectorAll(".check")[n - 1]?.querySelectorAll("input") ?? [])];
  const current = answers.findIndex((answer) => answer.checked);
  answers[(current + 1) % answers.length]?.click();
}

function write() {
  const remark = document.querySelector('textarea[name="remark_abstract"]');
  (chosenVerdict() === "return" && remark ? remark : document.getElementById("note")).focus();
}

function clearVerdict() {
  const radio = form?.querySelector('[name="verdict"]:checked');
  if (radio) radio.checked = false;
}

const ACTIONS = {
  y: () => chosenVerdict() && answerAllYes(),
  m: () => chosenVerdict() && write(),
  "?": toggleHelp,
  Escape: clearVerdict,
};

/** Returns whether the key means something here. */
function press(key) {
  if (form && VERDICTS[key]) return choose(VERDICTS[key]);
  if (ACTIONS[key]) {
    ACTIONS[key]();
    return true;
  }
  if (form && chosenVerdict() && /^[1-9]$/.test(key)) {
    useNumber(Number(key));
    return true;
  }
  return useAssigned(key);
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && chosenVerdict()) {
    event.preventDefault();
    form.requestSubmit(sendButton());
  } else if (event.key === "Escape" && field) {
    field.blur();
    sendButton()?.focus();
  } else if (!field && !hasModifier(event) && press(event.key)) {
    event.preventDefault();
  }
});
