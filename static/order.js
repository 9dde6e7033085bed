// The order flow's buttons wait until everything required is filled in (PROV-051, PROV-061). Without JavaScript the
// buttons work at once and the server says what is missing.
(function () {
  "use strict";

  function update(form) {
    for (const button of form.querySelectorAll("[data-when-valid]")) button.disabled = !form.checkValidity();
  }

  function updateAll() {
    for (const form of document.querySelectorAll("form:has([data-when-valid])")) update(form);
  }

  for (const name of ["input", "change"]) {
    document.addEventListener(name, (event) => {
      if (event.target.form) update(event.target.form);
    });
  }
  document.addEventListener("htmx:afterSwap", updateAll);
  window.addEventListener("pageshow", updateAll); // after Back the browser fills the form in again
  document.addEventListener("DOMContentLoaded", updateAll);
})();
