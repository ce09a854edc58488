// Starts the readable API documentation; in a file of its own because pages carry no inline script.
const place = document.getElementById('swagger');

globalThis.SwaggerUIBundle({
  url: place.dataset.openapi,
  domNode: place,
  deepLinking: true,
  docExpansion: 'none',
  validatorUrl: null,
  tryItOutEnabled: false,
});
