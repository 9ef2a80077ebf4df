// What the keyboard shortcuts of the queue and of the review page share.

/** Whether Control, Command or Alt is held, so the browser's own shortcut applies. */
export const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

/** Show or hide the list of shortcuts. Returns whether the page has one. */
export function toggleHelp() {
  const help = document.getElementById("keys");
  if (!help) return false;
  help.open = !help.open;
  help.scrollIntoView({ block: "nearest" });
  return true;
}

/** Use the link, button or field that the page assigns to `key`. Returns whether there is one. */
export function useAssigned(key) {
  const element = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!element) return false;
  if (element.matches("input")) element.focus();
  else element.click();
  return true;
}
