// Move the focus to what the page wants read first: an error summary, a new token.
document.querySelector("[data-take-focus]")?.focus();
