// The decision form of the review page. It is missing where the reader may not decide.
export const form = document.getElementById("decide");

/** The verdict that is chosen: approve, return, reject or undefined. */
export const chosenVerdict = () => form?.querySelector('[name="verdict"]:checked')?.value;

/** The button that sends the chosen verdict. */
export const sendButton = () =>
  form?.querySelector(`.decide-send[data-verdict="${chosenVerdict()}"]`);
