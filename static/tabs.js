// Tabs that the address names (chapter 26; CRM-057, CRM-058): `#3` opens the tab whose link is href="#3", switching tabs
// changes the address, Back returns to the former tab, an unknown or forbidden number falls back to the first.
// A panel hears the event "tabshow" whenever it is shown: hx-trigger="tabshow once" loads its content on demand.
(function () {
  "use strict";

  const links = (bar) => Array.from(bar.querySelectorAll("[role='tab']"));
  const panel = (link) => document.getElementById(link.getAttribute("aria-controls"));

  function select(bar) {
    const all = links(bar);
    const { hash } = window.location;
    const kept = /^#?\d*$/.test(hash) ? null : all.find((link) => link.getAttribute("aria-selected") === "true");
    const current = all.find((link) => link.hash === hash) || kept || all[0]; // kept: the skip link is no tab
    for (const link of all) {
      const chosen = link === current;
      link.setAttribute("aria-selected", String(chosen));
      link.tabIndex = chosen ? 0 : -1;
      panel(link).hidden = !chosen;
    }
    current.scrollIntoView({ block: "nearest", inline: "nearest" });
    panel(current).dispatchEvent(new CustomEvent("tabshow"));
  }

  function step(event, bar) {
    const all = links(bar);
    const at = all.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = all[(to + all.length) % all.length];
    next.click();
    next.focus();
  }

  function selectAll() {
    for (const bar of document.querySelectorAll("[data-tabs]")) select(bar);
  }

  document.addEventListener("keydown", (event) => {
    const bar = event.target.closest?.("[data-tabs]");
    if (bar) step(event, bar);
  });
  window.addEventListener("hashchange", selectAll);
  document.addEventListener("DOMContentLoaded", selectAll); // after htmx, whose script stands before this one
})();
