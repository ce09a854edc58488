// Shows what the server tells while no page is open, and leads to the ticket or appointment. It keeps nothing and stands before no request.

addEventListener('push', (event) => {
  const { title, body, url, lang, tag } = event.data.json();
  const shown = { body, lang, tag, dir: 'auto', renotify: Boolean(tag), requireInteraction: true, vibrate: [300, 150, 300] };
  event.waitUntil(registration.showNotification(title, { ...shown, data: { url } }));
});

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data.url));
});

/** To the page of it where it is open; where the message names none, to any ticket that is. */
async function lead(url) {
  const pages = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const plain = (address) => new URL(address).pathname.replace(/^.*(?=\/[at]\/)/, '');
  const there = pages.find((page) => (url ? plain(page.url) === plain(url) : page.url.includes('/t/')));
  return there ? there.focus() : clients.openWindow(url ?? '/');
}
