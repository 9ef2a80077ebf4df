// Signing in again, in another tab too, gives the browser a new CSRF token. A page that was open before
// sends the new one, so nothing typed there is lost.
document.addEventListener("formdata", ({ formData }) => {
  const token = document.cookie.match(/(?:^|; )(?:__Host-)?csrftoken=(\w+)/);
  const name = "csrfmiddlewaretoken";
  if (token && formData.has(name)) formData.set(name, token[1]);
});
