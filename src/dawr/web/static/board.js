// The wall screen: called numbers, live, with a highlight and a chime when somebody is called.
import { ask, byId, data, make, memory, say, texts } from './page.js';
import { count, fill } from './words.js';
import { live } from './live.js';
import { allowSound, chime, soundAllowed } from './sound.js';
import { foldFacility, foldQueue } from './fold.js';

const POLL = 2_000;
const LOST_AFTER = 3;
const FRESH_FOR = 12_000;
const names = Object.fromEntries(data.clinics.map(({ clinic, name }) => [clinic, name]));
let states = data.states;
let latest = null; // {clinic, code, desk}: the call shown huge
const fresh = new Map(); // "clinic code" → when its highlight ends

/* What is shown */

const place = (entry) => (entry.desk ? fill(texts.desk, { desk: entry.desk }) : '');
const isFresh = (clinic, code) => (fresh.get(`${clinic} ${code}`) ?? 0) > Date.now();

/** The called of a clinic, the latest call first. */
const called = (clinic) => [...states[clinic].called].reverse();

function paint() {
  if (latest && !states[latest.clinic]?.called.some(({ code }) => code === latest.code)) latest = null;
  latest ??= lastCall();
  paintLatest();
  if (data.clinic) paintClinic();
  else paintTiles();
}

/** The latest call that is still open; where the times of the calls are not known, one of them. */
function lastCall() {
  const calls = data.clinics.flatMap(({ clinic }) => (states[clinic] ? called(clinic) : []).map((one) => ({ clinic, ...one })));
  return calls.sort((a, b) => (b.called_at ?? '').localeCompare(a.called_at ?? ''))[0] ?? null;
}

function paintLatest() {
  const box = byId('latest');
  box.classList.toggle('none', !latest);
  box.classList.toggle('fresh', Boolean(latest) && isFresh(latest.clinic, latest.code));
  say(byId('latest-number'), latest?.code ?? texts.nobody);
  say(byId('latest-to'), latest ? place(latest) : '');
  if (!data.clinic) say(byId('latest-of'), latest ? names[latest.clinic] : '');
}

const call = (clinic, entry) =>
  make('li', { class: isFresh(clinic, entry.code) ? 'fresh' : null }, make('bdi', {}, entry.code), make('span', {}, place(entry)));

function paintClinic() {
  const state = states[data.clinic];
  const others = called(data.clinic).filter(({ code }) => code !== latest?.code);
  byId('calls').replaceChildren(...others.map((entry) => call(data.clinic, entry)));
  const codes = state.waiting.slice(0, 5).flatMap((code) => [make('b', {}, make('bdi', {}, code)), ' ']);
  byId('next').replaceChildren(...codes);
  say(byId('count'), count(texts.waiting, state.counts.waiting));
}

function paintTiles() {
  for (const { clinic } of data.clinics) {
    const tile = document.querySelector(`[data-clinic="${CSS.escape(clinic)}"]`);
    const state = states[clinic];
    if (!tile || !state) continue;
    say(tile.querySelector('h2 span'), count(texts.waiting, state.counts.waiting));
    tile.querySelector('ul').replaceChildren(...called(clinic).slice(0, 3).map((entry) => call(clinic, entry)));
  }
}

/* What changes */

function announce(clinic, entry) {
  latest = { clinic, code: entry.code, desk: entry.desk };
  fresh.set(`${clinic} ${entry.code}`, Date.now() + FRESH_FOR);
  setTimeout(paint, FRESH_FOR + 100);
  chime();
}

const isCall = (update) => update.type === 'ticket_called' || update.type === 'ticket_recalled';

function show(next, update, clinic) {
  if (!update) {
    showSnapshot(next);
    return;
  }
  states = next;
  if (isCall(update)) announce(clinic, update);
  paint();
}

/** A snapshot knows no events: whoever is called now and was not before, or at another desk, has just been called. */
function showSnapshot(next) {
  const news = [];
  for (const [clinic, state] of Object.entries(next)) {
    const before = new Set((states[clinic]?.called ?? []).map(({ code, desk }) => `${code} ${desk}`));
    for (const entry of state.called) if (!before.has(`${entry.code} ${entry.desk}`)) news.push([clinic, entry]);
  }
  states = next;
  for (const [clinic, entry] of news) announce(clinic, entry);
  paint();
}

function connection(up) {
  byId('offline').hidden = up;
}

const stream = `${data.root}/api/v1/events/stream?${data.stream}`;

function followClinic() {
  live(stream, { fold: foldQueue, changed: (state, update) => show({ [data.clinic]: state }, update, data.clinic), connection });
}

function followAll() {
  const byClinic = (state) => Object.fromEntries(state.items.map((one) => [one.clinic, one]));
  live(stream, { fold: foldFacility, changed: (state, update) => show(byClinic(state), update, update?.clinic), connection });
}

/** The stream of a whole facility is for staff; a screen nobody signed in asks every two seconds instead. */
async function pollAll() {
  for (let missed = 0; ; ) {
    try {
      showSnapshot(await ask('/board/queues'));
      missed = 0;
    } catch {
      missed += 1;
    }
    connection(missed < LOST_AFTER);
    await new Promise((done) => setTimeout(done, POLL * (missed ? 1 + Math.random() : 1)));
  }
}

/* Clock, sound, and a screen that stays on */

function tick() {
  const time = new Intl.DateTimeFormat(`${data.lang}-u-nu-latn`, { hour: '2-digit', minute: '2-digit', timeZone: data.zone });
  say(byId('clock'), time.format());
}

async function offerSound() {
  const button = byId('sound');
  button.hidden = (memory.get('sound') && (await allowSound())) || soundAllowed();
  button.addEventListener('click', async () => {
    button.hidden = await allowSound();
    memory.set('sound', true);
    chime();
  });
}

async function stayAwake() {
  if (document.visibilityState === 'visible') await navigator.wakeLock?.request('screen').catch(() => {});
}

document.addEventListener('visibilitychange', stayAwake);
stayAwake();
offerSound();
tick();
setInterval(tick, 5_000);
paint();
if (data.clinic) followClinic();
else if (data.stream) followAll();
else pollAll();
