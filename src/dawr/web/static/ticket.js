// My ticket, live: shows what the server knows, and the last known state while there is no connection.
import { Refusal, ask, byId, data, post, say, texts } from './page.js';
import { fill, statusWords, waitWords } from './words.js';
import { live } from './live.js';
import { allowSound, chime } from './sound.js';

const LIVE = ['waiting', 'called', 'serving', 'held'];
const POLL = 15_000;
const secret = location.pathname.split('/t/')[1].split('/')[0];
const headers = { 'Ticket-Secret': secret };
const page = byId('ticket');
let ticket = data.ticket;
let polling = 0;

/** The ticket after an event of its stream, which carries what changed for it (and the code of whoever moved). */
function fold(before, update) {
  const { status, position, ahead, desk, wait } = { ...before, ...update };
  return { ...before, status, position, ahead, desk, wait };
}

function changed(next, update) {
  const before = ticket;
  ticket = { ...ticket, ...next };
  const again = update?.type === 'ticket_recalled' && update.code === ticket.code;
  if (ticket.status === 'called' && (before.status !== 'called' || again)) alertHolder();
  paint();
  if (update && ticket.status === 'transferred') refresh(); // only the ticket itself names the one that follows
}

async function refresh() {
  try {
    changed(await ask(`/api/v1/queue/ticket/${ticket.ticket}`, { headers }), null);
    showReached(true);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.status === 404) location.reload();
    else showReached(false);
  }
}

function paint() {
  const [headline, sentence] = statusWords(ticket);
  page.dataset.status = ticket.status;
  say(byId('headline'), headline);
  say(byId('sentence'), sentence);
  say(byId('position'), String(ticket.position));
  say(byId('desk'), ticket.desk ?? '');
  const words = waitWords(ticket.wait);
  say(byId('wait'), words || texts.unknown_wait);
  byId('waiting').hidden = ticket.status !== 'waiting';
  byId('goto').hidden = !(ticket.status === 'called' && ticket.desk);
  byId('late').hidden = ticket.status !== 'called';
  byId('cancel').hidden = !['waiting', 'called', 'held'].includes(ticket.status);
  byId('again').hidden = !['cancelled', 'no_show', 'expired'].includes(ticket.status);
  byId('rating').hidden = ticket.status !== 'done';
  if (byId('push')) byId('push').hidden = !LIVE.includes(ticket.status);
  byId('next').hidden = !ticket.next;
  if (ticket.next) byId('next').href = data.root + ticket.next;
  paintTitle();
}

const plainTitle = document.title;
let blinking = 0;

/** The tab's title calls too, for who reads something else meanwhile. */
function paintTitle() {
  clearInterval(blinking);
  document.title = plainTitle;
  if (ticket.status !== 'called') return;
  const calling = fill(texts.title_called, { code: ticket.code });
  document.title = calling;
  blinking = setInterval(() => {
    document.title = document.title === calling ? plainTitle : calling;
  }, 1500);
}

function alertHolder() {
  chime();
  // Before the first touch a browser refuses to shake, with a complaint on its console.
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300, 150, 600]);
}

/** While the stream is lost (or the browser refuses its cookie) the page asks from time to time. */
function connection(up) {
  clearInterval(polling);
  showReached(up);
  if (!up) polling = setInterval(refresh, POLL);
}

function showReached(reached) {
  byId('offline').hidden = reached;
  page.classList.toggle('stale', !reached);
}

/** Cancel and "I am late" are plain forms behind a question; here they are sent without leaving the page. */
async function act(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector('button');
  button.disabled = true;
  try {
    changed(await post(`/api/v1/queue/${form.dataset.verb}`, { ticket: ticket.ticket }, { headers }), null);
    form.closest('details').open = false;
    note(form.dataset.verb === 'late' ? texts.late_sent : '', 'info');
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    note(refusal.message, 'error');
    refresh();
  } finally {
    button.disabled = false;
  }
}

function note(text, kind) {
  const notice = byId('notice');
  notice.className = `notice ${kind}`;
  notice.hidden = !text;
  say(notice, text);
}

for (const form of document.querySelectorAll('form[data-verb]')) form.addEventListener('submit', act);

/** A tap on a star is a rating; the word, where there is one, is sent with the button. One request after the other. */
const rating = byId('rating');
const TAP = 400; // arrow keys walk over the stars on their way
let tapped = 0;
let sending = Promise.resolve();

function rate(word) {
  clearTimeout(tapped);
  const body = { ticket: ticket.ticket, stars: Number(rating.elements.stars.value), ...(word && { word }) };
  sending = sending.then(() => post('/api/v1/queue/rating', body, { headers })).then(
    () => note(texts.rated, 'info'),
    (refusal) => {
      if (!(refusal instanceof Refusal)) throw refusal;
      note(refusal.message, 'error');
    },
  );
}

rating.addEventListener('change', (event) => {
  if (event.target.name !== 'stars') return;
  clearTimeout(tapped);
  tapped = setTimeout(rate, TAP);
});
rating.addEventListener('submit', (event) => {
  event.preventDefault();
  rate(rating.elements.word.value.trim());
});

/** Browsers sound only for who has touched the page; until then a button asks for that. */
async function offerSound() {
  byId('sound').hidden = !LIVE.includes(ticket.status) || (await allowSound());
}

byId('sound').hidden = !LIVE.includes(ticket.status);
byId('sound').addEventListener('click', () => offerSound().then(chime));
addEventListener('click', offerSound, { once: true });

paint();
// Only where the facility sends messages to browsers.
if (byId('push')) {
  const asked = { path: '/api/v1/queue/push', about: { ticket: ticket.ticket }, id: ticket.ticket };
  import('./push.js').then(({ offerPush }) => offerPush(byId('push'), asked, headers));
}
if (ticket.status === 'called') alertHolder();
if (LIVE.includes(ticket.status)) {
  live(`${data.root}/api/v1/events/stream?ticket=${encodeURIComponent(ticket.ticket)}`, { fold, changed, connection });
}
