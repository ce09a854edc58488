// A doctor's own day beside the queue: how many consultations, how long they take, who is booked.
import { ask, byId, data, make, say, texts } from './page.js';
import { clock } from './times.js';

const EVERY = 30_000;
const SHOWN = 100;
const part = byId('day');
let shown = '';

export function startDay() {
  if (!part) return;
  load();
  setInterval(() => document.visibilityState === 'visible' && load(), EVERY);
}

/** What cannot be read stays as it was; the lists tell of a lost connection. */
async function load() {
  const doctor = encodeURIComponent(data.doctor);
  const asked = [`/api/v1/doctors/${doctor}/figures`, `/api/v1/appointments?doctor=${doctor}&limit=${SHOWN}`];
  const [figures, booked] = await Promise.all(asked.map((path) => ask(path).catch(() => null)));
  if (figures) showFigures(figures.today);
  if (booked) showBooked(booked.items);
}

function showFigures({ consultations, mean_seconds: mean }) {
  say(byId('day-count'), String(consultations));
  say(byId('day-mean'), mean === null ? '–' : lasting(Math.round(mean)));
}

const lasting = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

function showBooked(items) {
  if (shown === JSON.stringify(items)) return; // a link that has the focus keeps it
  shown = JSON.stringify(items);
  part.querySelector('ul').replaceChildren(...items.map(row));
  part.querySelector('.empty').hidden = items.length > 0;
}

function row(one) {
  const link = make('a', { class: 'button', href: `${data.root}/history/${one.patient}` }, texts.history);
  link.append(make('span', { class: 'hidden-text' }, ` ${one.name ?? ''}`));
  const about = make('div', { class: 'about' }, make('span', {}, make('bdi', {}, one.name ?? '')), make('span', {}, texts.appointment_statuses[one.status]));
  return make('li', { class: 'row' }, make('b', {}, clock(one.start)), about, make('div', { class: 'verbs' }, link));
}
