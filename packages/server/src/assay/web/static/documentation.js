"use strict";

// Swagger UI goes dark by a class, not by the reader's preference.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followPreference = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followPreference);
followPreference();

const place = document.getElementById("documentation");
SwaggerUIBundle({
  url: place.dataset.openapi,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
