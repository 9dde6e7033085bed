// Behaviour shared by all pages: toasts, confirmation, busy buttons, requests of htmx, small widgets, keyboard.
// Everything is found through data- attributes and delegated events, so content that htmx swaps in needs no set-up.
// tabs.js owns the tabs; theme.js the colour mode.
(function () {
  "use strict";

  const root = document.documentElement;
  const $ = (selector, scope = document) => scope.querySelector(selector);
  const $$ = (selector, scope = document) => Array.from(scope.querySelectorAll(selector));
  const ICONS = {
    success: "fa-circle-check",
    info: "fa-circle-info",
    warning: "fa-triangle-exclamation",
    danger: "fa-circle-exclamation",
  };

  // ---- toasts -------------------------------------------------------------------------------------------------------
  // Good news leaves by itself (Bootstrap waits while it is hovered or focused); a warning stays until it is closed.

  function startToast(element) {
    const stays = element.matches(".tone-danger, .tone-warning");
    element.addEventListener("hidden.bs.toast", () => element.remove(), { once: true });
    bootstrap.Toast.getOrCreateInstance(element, { autohide: !stays, delay: 6000 }).show();
  }

  function toast(kind, text) {
    const tone = kind in ICONS ? kind : "info";
    const element = $("#toast-template").content.firstElementChild.cloneNode(true);
    element.classList.replace("tone-info", `tone-${tone}`);
    $("i", element).classList.replace(ICONS.info, ICONS[tone]);
    $("[data-toast-text]", element).textContent = text;
    $("#toasts").append(element);
    startToast(element);
  }

  // The answer's header `HX-Trigger: {"toast": {"kind": "success", "text": "Saved"}}`, or a list of such objects.
  document.addEventListener("toast", (event) => {
    for (const { kind, text } of Array.isArray(event.detail.value) ? event.detail.value : [event.detail]) {
      toast(kind, text);
    }
  });

  // ---- confirmation -------------------------------------------------------------------------------------------------
  // data-confirm="text" on a form, on its submit button, or on an element that htmx sends. Cancel has the focus.

  const confirmed = new WeakSet();

  function ask(source) {
    const dialog = $("#confirm-dialog");
    const ok = $("[data-confirm-ok]", dialog);
    const { confirm, confirmTitle, confirmOk, confirmKind } = source.dataset;
    $("[data-confirm-text]", dialog).textContent = confirm;
    $("[data-confirm-title]", dialog).textContent = confirmTitle || "Please confirm";
    ok.textContent = confirmOk || "Confirm";
    ok.className = `btn btn-${confirmKind === "danger" ? "danger" : "primary"}`;
    const modal = bootstrap.Modal.getOrCreateInstance(dialog);
    return new Promise((resolve) => {
      let answer = false;
      const accept = () => {
        answer = true;
        modal.hide();
      };
      ok.addEventListener("click", accept);
      dialog.addEventListener("shown.bs.modal", () => $("[data-confirm-cancel]", dialog).focus(), { once: true });
      dialog.addEventListener(
        "hidden.bs.modal",
        () => {
          ok.removeEventListener("click", accept);
          if (source.isConnected) source.focus?.();
          resolve(answer);
        },
        { once: true },
      );
      modal.show();
    });
  }

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const submitter = event.submitter;
      const source = [submitter, form].find((element) => element?.matches("[data-confirm]"));
      if (form.hasAttribute("data-sending")) {
        event.preventDefault();
        event.stopImmediatePropagation();
      } else if (source && !confirmed.has(form)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        ask(source).then((yes) => {
          if (!yes || !form.isConnected) return;
          confirmed.add(form);
          form.requestSubmit(submitter);
        });
      } else {
        confirmed.delete(form);
      }
    },
    true, // before htmx, which listens on the form itself
  );

  document.addEventListener("htmx:confirm", (event) => {
    const { elt, triggeringEvent, issueRequest } = event.detail;
    if (triggeringEvent?.type === "submit" || !elt.matches("[data-confirm]")) return;
    event.preventDefault();
    ask(elt).then((yes) => yes && issueRequest(true));
  });

  // ---- one submission at a time -------------------------------------------------------------------------------------

  function setBusy(form, button, busy) {
    form?.toggleAttribute("data-sending", busy);
    if (!button?.matches(".btn")) return;
    button.classList.toggle("is-busy", busy);
    button.toggleAttribute("aria-busy", busy);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.target === "_blank" || form.matches("[data-download]")) return;
    setBusy(form, event.submitter, true);
  });

  window.addEventListener("pageshow", () => {
    for (const form of $$("form[data-sending]")) setBusy(form, $(".is-busy", form), false);
  });

  // ---- htmx ---------------------------------------------------------------------------------------------------------

  let pending = 0;
  const isPoll = ({ elt, requestConfig }) =>
    !requestConfig.triggeringEvent && (elt.getAttribute("hx-trigger") || "").includes("every ");

  function buttonOf({ elt, requestConfig }) {
    return elt.matches("form") ? requestConfig.triggeringEvent?.submitter : elt;
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const cookie = document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/);
    const token = cookie ? decodeURIComponent(cookie[1]) : $("meta[name='csrf-token']")?.content;
    if (token) event.detail.headers["x-csrftoken"] = token;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPoll(event.detail)) {
      // Nobody looks, or at another tab of the page: the next turn after the return asks again.
      if (document.hidden || event.detail.elt.closest("[hidden] *")) event.preventDefault();
      return;
    }
    event.detail.counted = true;
    pending += 1;
    root.setAttribute("data-busy", "");
    setBusy(event.detail.elt.closest("form"), buttonOf(event.detail), true);
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr.status) root.removeAttribute("data-offline");
    if (!event.detail.counted) return;
    pending -= 1;
    root.toggleAttribute("data-busy", pending > 0);
    setBusy(event.detail.elt.closest("form"), buttonOf(event.detail), false);
  });

  document.addEventListener("htmx:sendError", (event) => {
    root.setAttribute("data-offline", "");
    if (!isPoll(event.detail)) toast("danger", "The server could not be reached. Nothing was sent; please try again.");
  });

  function refusal(xhr) {
    if ((xhr.getResponseHeader("content-type") || "").includes("json")) return JSON.parse(xhr.responseText).message;
    const alert = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[role='alert']");
    return alert?.textContent.trim();
  }

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status === 401 && requestConfig.verb === "get") {
      window.location.reload(); // the server answers with the login page and leads back here
    } else if (xhr.status === 401) {
      toast("warning", "Your session has ended. Log in again in another tab, then send this once more.");
    } else if (!isPoll(event.detail)) {
      const fallback = xhr.status === 403 ? "You do not have permission to do this." : "That did not work.";
      toast("danger", refusal(xhr) || fallback);
    }
  });

  // An opened <details id> stays open when a refresh replaces it, and what had the focus in it or on its button has it.
  let opened = [];
  let focused = "";
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    const active = target.contains(document.activeElement) ? document.activeElement : null;
    opened = $$("details[open][id]", target).map((element) => element.id);
    focused = "";
    if (active?.matches("details[id] > summary")) focused = `#${active.parentElement.id} > summary`;
    else if (active?.dataset.open) focused = `[data-open="${active.dataset.open}"]`;
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    if (focused) $(focused)?.focus({ preventScroll: true });
    opened = [];
    focused = "";
  });

  htmx.onLoad((element) => {
    const toasts = $$(".toasts .toast");
    for (const item of toasts) if (!bootstrap.Toast.getInstance(item)) startToast(item);
    $("[autofocus]", element)?.focus();
  });

  // ---- small widgets ------------------------------------------------------------------------------------------------

  async function copy(text) {
    if (window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain http on another host has no clipboard
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  function showPassword(button) {
    const input = document.getElementById(button.getAttribute("aria-controls"));
    const visible = input.type === "password";
    input.type = visible ? "text" : "password";
    button.setAttribute("aria-pressed", String(visible));
    $("i", button).classList.toggle("fa-eye-slash", visible);
    input.focus();
  }

  function followRow(row, event) {
    const link = $("a.row-link", row);
    if (!link || event.target.closest("a, button, input, select, label, summary, textarea")) return;
    if (String(window.getSelection())) return;
    if (event.ctrlKey || event.metaKey) window.open(link.href, "_blank", "noopener");
    else link.click();
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    if (hit("[data-theme-toggle]")) omnicrm.toggleTheme();
    else if (hit("[data-nav-toggle]")) {
      const open = omnicrm.toggleNav() === "open";
      hit("[data-nav-toggle]").setAttribute("aria-expanded", String(open));
    } else if (hit("[data-eye]")) showPassword(hit("[data-eye]"));
    else if (hit("[data-copy]")) {
      copy(hit("[data-copy]").dataset.copy).then(
        () => toast("success", "Copied."),
        () => toast("warning", "The browser did not allow copying."),
      );
    } else if (hit("[data-open]")) {
      const details = document.getElementById(hit("[data-open]").dataset.open);
      details.open = !details.open;
    } else if (hit("tr[data-row-link]")) followRow(hit("tr[data-row-link]"), event);
  });

  // ---- keyboard -----------------------------------------------------------------------------------------------------
  // "/" goes to the search, "?" shows the help; Esc is Bootstrap's for dialogs and leaves a search box.

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing?.matches("input[type='search']")) typing.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $(".modal.show")) return;
    if (event.key === "/") {
      const search = $$("input[type='search']").find((input) => input.offsetParent);
      if (!search) return;
      event.preventDefault();
      search.select();
      search.focus();
    } else if (event.key === "?" && $("#help-dialog")) {
      bootstrap.Modal.getOrCreateInstance($("#help-dialog")).show();
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of $$("[data-nav-toggle]")) {
      button.setAttribute("aria-expanded", String(root.getAttribute("data-nav") !== "collapsed"));
    }
  });
})();
