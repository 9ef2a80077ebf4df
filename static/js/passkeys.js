// Report why a passkey failed; allauth's own scripts do the rest.
const MESSAGES = {
  NotAllowedError: "No passkey was used: the request was cancelled or timed out.",
  InvalidStateError: "This device already has a passkey for your account.",
  SecurityError: "Browsers do not support passkeys at the address of this page.",
  NotSupportedError: "This device cannot create the kind of passkey that is needed.",
};

const place = document.querySelector("[data-passkey-error]");

function report(text) {
  place.textContent = text;
  place.hidden = !text;
}

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const { exception } = event.detail;
  report(MESSAGES[exception?.name] ?? "The passkey could not be used. Reload the page and try again.");
});
if (!window.PublicKeyCredential) {
  report("This browser does not offer passkeys here; they need HTTPS or localhost.");
}
