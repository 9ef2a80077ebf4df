// Signing in again, in another tab too, gives the browser a new proof for its forms. A page that
// was open before sends the new one, so that nothing typed there is lost.
document.addEventListener("formdata", ({ formData }) => {
  const proof = document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=(\w+)/);
  const name = "csrfmiddlewaretoken";
  if (proof && formData.has(name)) formData.set(name, proof[1]);
});
