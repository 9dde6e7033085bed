// The API's page (/crm/docs): Swagger UI over our own document, in the colour mode of the other pages.
(() => {
  "use strict";
  const root = document.documentElement;
  const follow = () => root.classList.toggle("dark-mode", root.getAttribute("data-bs-theme") === "dark");
  new MutationObserver(follow).observe(root, { attributeFilter: ["data-bs-theme"] });
  follow();
  window.SwaggerUIBundle({
    url: "/crm/docs/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    filter: true,
    tagsSorter: "alpha",
    // The validator is a foreign site.
    validatorUrl: null,
  });
})();
