// Says what became of a passkey that was asked for; allauth's own scripts do the asking.
(() => {
  const place = document.querySelector("[data-passkey-error]");
  const say = (text) => {
    place.textContent = text;
    place.hidden = !text;
  };
  const words = {
    NotAllowedError: "No passkey was given: the browser was told no, or nobody answered in time.",
    InvalidStateError: "This device holds a passkey for your account already.",
    SecurityError: "Browsers keep no passkeys for the address at which this page is open.",
    NotSupportedError: "This device cannot make a passkey of the kind that is needed.",
  };

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const error = event.detail.exception;
    say(words[error?.name] || "The passkey could not be used. Reload the page and try again.");
  });
  if (!window.PublicKeyCredential) {
    say("This browser offers no passkeys here; they need https, or localhost.");
  }
})();
