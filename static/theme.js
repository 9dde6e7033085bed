// Runs before the first paint (loaded without defer in <head>): applies the remembered colour mode and the remembered
// width of the side navigation, so that no page flashes in the wrong look. Without a choice the system decides.
(function () {
  "use strict";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function read(key) {
    try {
      return window.localStorage.getItem(key);
    } catch {
      return null; // storage may be switched off; the page then follows the system
    }
  }

  function write(key, value) {
    try {
      window.localStorage.setItem(key, value);
    } catch {
      // the choice then lasts for this page only
    }
  }

  function apply() {
    const choice = read("theme");
    const mode = choice === "light" || choice === "dark" ? choice : system.matches ? "dark" : "light";
    root.setAttribute("data-bs-theme", mode);
  }

  root.classList.add("js");
  root.setAttribute("data-nav", read("nav") === "collapsed" ? "collapsed" : "open");
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  window.addEventListener("beforeprint", () => root.setAttribute("data-bs-theme", "light"));
  window.addEventListener("afterprint", apply);

  window.omnicrm = {
    toggleTheme() {
      const mode = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
      root.setAttribute("data-bs-theme", mode);
      write("theme", mode);
      return mode;
    },
    toggleNav() {
      const state = root.getAttribute("data-nav") === "collapsed" ? "open" : "collapsed";
      root.setAttribute("data-nav", state);
      write("nav", state);
      return state;
    },
  };
})();
