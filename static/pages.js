// What the record pages add in the browser: the icon picker, live previews, fields that follow others, form errors in
// tabs. Everything is found through data- attributes and delegated events, so parts that htmx swaps in need no set-up.
(function () {
  "use strict";

  const $ = (selector, scope = document) => scope.querySelector(selector);
  const $$ = (selector, scope = document) => Array.from(scope.querySelectorAll(selector));
  const field = (form, name) => form.elements.namedItem(name);

  // ---- icons --------------------------------------------------------------------------------------------------------

  function chooseIcon(button) {
    const picker = button.closest("[data-icon-picker]");
    const input = document.getElementById(picker.dataset.iconPicker);
    input.value = button.dataset.icon;
    showIcon(picker);
  }

  function showIcon(picker) {
    const { value } = document.getElementById(picker.dataset.iconPicker);
    const name = /^[a-z0-9 -]+$/.test(value) ? value : "fa-solid fa-shapes";
    $("[data-icon-preview] i", picker).className = name;
    for (const button of $$("[data-icon]", picker)) button.ariaPressed = String(button.dataset.icon === value);
  }

  function searchIcons(input) {
    const picker = input.closest("[data-icon-picker]");
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const button of $$("[data-icon]", picker)) {
      button.hidden = !words.every((word) => button.dataset.words.includes(word));
      shown += button.hidden ? 0 : 1;
    }
    $("[data-icon-none]", picker).hidden = shown > 0;
  }

  // ---- previews -----------------------------------------------------------------------------------------------------

  function previewTag(form) {
    const color = field(form, "tag_hex_color").value;
    const text = field(form, "tag_text").value.trim() || "Tag";
    const pill = $("[data-tag-preview] .pill", form);
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    pill.className = `pill ${red * 299 + green * 587 + blue * 114 > 128000 ? "pill-black" : "pill-white"}`;
    $("rect", pill).setAttribute("fill", color);
    pill.lastChild.textContent = text;
  }

  function previewTax(form) {
    const target = $("[data-tax-preview]", form);
    if (!target) return;
    const rate = Number(field(form, "tax_percentage").value);
    const [monthly, setup] = target.dataset.taxPreview.split(" ").map((name) => Number(field(form, name).value));
    const money = new Intl.NumberFormat(undefined, { style: "currency", currency: target.dataset.currency });
    const known = [rate, monthly, setup].every(Number.isFinite);
    const tax = (amount) => money.format((amount * rate) / 100);
    target.textContent = known ? `Tax: ${tax(monthly)} a month, ${tax(setup)} on the setup.` : "";
  }

  // ---- fields that follow others ------------------------------------------------------------------------------------

  // An individual is normally his own contact (CRM-039): the name follows until it is typed by hand.
  function followContact(form, changed) {
    const name = field(form, "customer_name");
    if (changed === name) form.dataset.named = name.value ? "yes" : "";
    if (form.dataset.named || field(form, "customer_account_type").value !== "Individual") return;
    const parts = ["contacts.0.contact_firstname", "contacts.0.contact_lastname"].map((part) => field(form, part).value);
    name.value = parts.join(" ").trim();
  }

  function countCharacters(input) {
    const counter = document.getElementById(`${input.id}-count`);
    if (counter) counter.textContent = `${input.value.length} of ${input.maxLength} characters`;
  }

  function addLabel(button) {
    const next = $("[data-more-field][hidden]", button.form);
    next.hidden = false;
    $("input", next).focus();
    button.hidden = !$("[data-more-field][hidden]", button.form);
  }

  // ---- rows that are ticked -----------------------------------------------------------------------------------------

  function countTicked() {
    const bar = $("[data-batch]");
    if (!bar) return;
    const boxes = $$("[data-tick]");
    const ticked = boxes.filter((box) => box.checked);
    bar.hidden = !ticked.length;
    $("[data-batch-count]", bar).textContent = `${ticked.length} selected`;
    for (const form of $$("form", bar)) {
      field(form, "customer_ids").value = ticked.map((box) => box.value).join(",");
      if (form.dataset.confirmText) form.dataset.confirm = form.dataset.confirmText.replace("{n}", ticked.length);
    }
    const all = $("[data-tick-all]");
    if (all) {
      all.checked = ticked.length === boxes.length && boxes.length > 0;
      all.indeterminate = ticked.length > 0 && !all.checked;
    }
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  function changed(event) {
    const { target } = event;
    const form = target.form;
    if (target.matches("[data-icon-search]")) searchIcons(target);
    else if (target.matches("[data-tick-all]")) {
      for (const box of $$("[data-tick]")) box.checked = target.checked;
      countTicked();
    } else if (target.matches("[data-tick]")) countTicked();
    if (!form) return;
    if (target.id === "field-icon") for (const picker of $$("[data-icon-picker]", form)) showIcon(picker);
    if (form.dataset.form === "tag") previewTag(form);
    if (form.dataset.form === "product") previewTax(form);
    if (form.dataset.form === "new-customer") followContact(form, target);
    if (target.maxLength > 0) countCharacters(target);
  }

  document.addEventListener("input", changed);
  document.addEventListener("change", changed);

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    if (hit("[data-icon]")) chooseIcon(hit("[data-icon]"));
    else if (hit("[data-add-label]")) addLabel(hit("[data-add-label]"));
    else if (hit("a[href^='#field-']")) showField(event, hit("a[href^='#field-']"));
  });

  // A named error leads to its field, also in a tab that is not shown.
  function showField(event, link) {
    const input = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!input) return;
    event.preventDefault();
    const panel = input.closest("[role='tabpanel'][hidden]");
    if (panel) document.getElementById(panel.getAttribute("aria-labelledby")).click();
    // The tab is shown once the address has changed.
    setTimeout(() => input.focus(), 50);
  }

  document.addEventListener("htmx:afterSettle", countTicked);
  htmx.onLoad((element) => {
    for (const form of $$("[data-form='product']", element)) previewTax(form);
  });
})();
