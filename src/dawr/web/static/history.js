// One patient's history for a doctor: opened with a click, newest first, page by page; with a reason where one is asked for.
import { ask, byId, data, make, texts } from './page.js';
import { count } from './words.js';
import { Mistake, filled, onSubmit, question } from './forms.js';
import { openNotes } from './notes.js';
import { clinicName, doctorName } from './reception_words.js';
import { moment } from './times.js';

const PAGE = 20;
const list = byId('history-list');
const more = byId('history-more');
const opener = byId('history-open');
const form = byId('open-form');

/**
 * Answers `open()`, which reads the first page. `before(reason)` is asked first, and throws what is in the way as the API does;
 * `failed(refusal)` is told what else is.
 */
export function startHistory(patient, { before = () => null, failed }) {
  let reason = null;
  let next = null;

  async function page(cursor) {
    const path = `/api/v1/patients/${patient}/history`;
    const wish = cursor ? { limit: PAGE, cursor } : { limit: PAGE };
    return reason ? question(path, { reason, ...wish }) : ask(`${path}?${new URLSearchParams(wish)}`);
  }

  async function read() {
    if (!next) await before(reason);
    const first = !next;
    const answer = await page(next);
    const place = list.children.length;
    list.append(...answer.items.map((one) => entry(one, failed)));
    ({ next } = answer);
    list.hidden = !list.children.length;
    byId('history-none').hidden = Boolean(list.children.length);
    more.hidden = !next;
    form.hidden = true;
    opener.hidden = true;
    (first ? list : list.children[place])?.focus();
  }

  async function open() {
    opener.disabled = true;
    try {
      await read();
    } catch (refusal) {
      if (refusal.code === 'record_needs_reason') askForReason();
      else failed(refusal);
    } finally {
      opener.disabled = false;
    }
  }

  opener.hidden = false;
  opener.addEventListener('click', open);
  more.addEventListener('click', open);
  onSubmit(form, async () => {
    const given = filled(form).reason;
    if (!given) throw new Mistake('reason');
    reason = given;
    await read();
  });
  return { open };
}

function askForReason() {
  opener.hidden = true;
  form.hidden = false;
  form.elements.reason.focus();
}

function entry(one, failed) {
  const parts = { visit, consultation, appointment }[one.kind](one, failed);
  const title = make('h3', {}, make('span', {}, texts.kinds[one.kind]), make('small', {}, moment(one.at)));
  return make('li', { tabindex: '-1', 'data-kind': one.kind }, title, ...parts);
}

const line = (...words) => make('p', { class: 'facts' }, ...words.filter(Boolean).map((word) => make('span', {}, make('bdi', {}, word))));

const visit = (one) => [
  line(one.visit_number, texts.visit_statuses[one.status], ...one.tickets.map((ticket) => `${clinicName(ticket.clinic)} ${ticket.code}`)),
];

const appointment = (one) => [line(doctorName(one.doctor), clinicName(one.clinic), texts.appointment_statuses[one.status])];

/** What is withdrawn stays readable, and says so. */
function consultation(one, failed) {
  const standing = { amended: 'warn', entered_in_error: 'error' }[one.status];
  const minutes = Math.round(one.duration_seconds / 60);
  return [
    line(clinicName(one.clinic), one.doctor && doctorName(one.doctor), texts.outcomes[one.outcome] ?? one.outcome, count(texts.minutes, minutes)),
    standing ? make('p', {}, make('span', { class: `badge ${standing}` }, texts[one.status])) : null,
    make('p', { class: 'notes', dir: 'auto' }, one.notes ?? texts.no_notes),
    data.consults_in.includes(one.clinic) ? closer(one, failed) : null,
  ];
}

/** Its versions; what becomes of it there shows here. */
function closer(one, failed) {
  const button = make('button', { type: 'button', class: 'button quiet' }, texts.closer);
  const changed = (after) => {
    const next = entry({ ...one, ...after }, failed);
    button.closest('li').replaceWith(next);
    next.focus();
  };
  button.addEventListener('click', () => openNotes(one.consultation, { changed, failed }));
  return make('p', {}, button);
}
