// The queue's menus apply at once, and empty filters stay out of the address.
const form = document.getElementById("changelist-search");
for (const menu of form?.querySelectorAll("select") ?? []) {
  menu.addEventListener("change", () => form.requestSubmit());
}
form?.addEventListener("submit", () => {
  for (const field of form.querySelectorAll("select, input")) field.disabled = !field.value;
});
