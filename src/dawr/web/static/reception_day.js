// The day: its visits, the newest first, and its appointments.
import { ask, byId, make, pause, texts } from './page.js';
import { Rows, didWords } from './reception_rows.js';
import { clock, clinicName, doctorName, facts, nameOf } from './reception_words.js';
import { fill } from './words.js';

const ENDED = ['completed', 'cancelled', 'no_show'];
const VISIT_VERBS = { waiting: ['slip', 'no_show', 'cancel'], in_progress: ['slip', 'cancel'] };
const APPOINTMENT_VERBS = { booked: ['check_in', 'no_show', 'cancel'], no_show: ['check_in'] };
const BADGES = { in_progress: 'good', checked_in: 'good' };
const APART = 2_000;
const PAGES = 40;

const name = (patient) => make('b', {}, make('bdi', {}, nameOf(patient)));
const badge = (words, kind) => make('span', { class: `badge ${kind ?? ''}` }, words);

/** Calls `load(wish)` now and, however often it is asked to meanwhile, once more after a pause: with the latest wish. */
function paced(load) {
  let wanted = null;
  let running = false;
  return async (everything = false) => {
    wanted = (wanted ?? false) || everything;
    if (running) return;
    running = true;
    try {
      while (wanted !== null) {
        const wish = wanted;
        wanted = null;
        await load(wish);
        await pause(APART);
      }
    } finally {
      running = false;
    }
  };
}

/* Visits */

/** `slipOf(visit)` shows a ticket once more. Answers `refresh(everything)`. */
export function startVisits({ slipOf, said, failed }) {
  const status = byId('visits-status');
  let pages = [];
  const rows = new Rows(byId('visits'), {
    idOf: (one) => one.visit,
    nameOf: (one) => one.visit_number,
    pathOf: (verb, one) => (verb === 'slip' ? null : `/api/v1/visits/${one.visit}/${verb}`),
    rowOf: visitRow,
    none: texts.visits_none,
    done: (verb, _, one) => {
      if (verb === 'slip') {
        slipOf(one.visit);
        return;
      }
      said(didWords(verb, one.visit_number));
      refresh(true);
    },
  });
  const load = async (everything) => {
    try {
      pages = await read(status.value, everything ? [] : pages);
      rows.paint(pages.flatMap((page) => page.items).reverse());
    } catch (refusal) {
      failed(refusal);
    }
  };
  const refresh = paced(load);
  status.addEventListener('change', () => {
    pages = [];
    refresh(true);
  });
  return refresh;
}

/** Pages in the order of the visits' numbers. One whose visits have all ended is not asked for again each time. */
async function read(status, known) {
  const pages = [];
  let cursor = '';
  while (cursor !== null && pages.length < PAGES) {
    const before = known[pages.length];
    const kept = before?.cursor === cursor && before.next && before.items.every((one) => ENDED.includes(one.status));
    const page = kept ? before : { cursor, ...(await ask(`/api/v1/visits?limit=100${status && `&status=${status}`}${cursor && `&cursor=${cursor}`}`)) };
    pages.push(page);
    cursor = page.next;
  }
  return pages;
}

function visitRow(one, button) {
  const ended = ENDED.includes(one.status);
  const where = one.tickets.map((ticket) => make('span', {}, make('bdi', {}, ticket.code), ` ${clinicName(ticket.clinic)}`, ticket.desk ? ` · ${fill(texts.desk, { desk: ticket.desk })}` : ''));
  const about = [name(one.patient), badge(texts.visit_statuses[one.status], BADGES[one.status]), ...where, ...facts(one.patient)];
  const verbs = ended ? ['reopen'] : VISIT_VERBS[one.status];
  return row(make('bdi', { title: one.visit_number }, one.visit_number.slice(-4)), about, verbs.map(button), { 'data-status': one.status });
}

const row = (first, about, verbs, attributes) =>
  make('li', { class: 'row', ...attributes }, make('b', {}, first), make('div', { class: 'about' }, ...about.filter(Boolean)), make('div', { class: 'verbs' }, ...verbs));

/* Appointments */

/** `arrived(answer, name)` is told of somebody who was checked in. Answers `refresh()`. */
export function startAppointments({ arrived, said, failed }) {
  const doctor = byId('appointments-doctor');
  const rows = new Rows(byId('appointments'), {
    idOf: (one) => one.appointment,
    nameOf: (one) => `${clock(one.start)} ${nameOf(one)}`,
    pathOf: (verb, one) => `/api/v1/appointments/${one.appointment}/${verb.replace('_', '-')}`,
    rowOf: appointmentRow,
    none: texts.appointments_none,
    done: (verb, answer, one) => {
      said(didWords(verb, `${clock(one.start)} ${nameOf(one)}`));
      if (verb === 'check_in') arrived(answer, nameOf(one));
      refresh();
    },
  });
  const refresh = paced(async () => {
    try {
      rows.paint(await appointmentsOf(doctor.value));
    } catch (refusal) {
      failed(refusal);
    }
  });
  doctor.addEventListener('change', () => refresh());
  return refresh;
}

async function appointmentsOf(doctor) {
  const items = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = await ask(`/api/v1/appointments?limit=200${doctor && `&doctor=${encodeURIComponent(doctor)}`}${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

function appointmentRow(one, button) {
  const about = [
    name(one),
    badge(texts.appointment_statuses[one.status], BADGES[one.status]),
    one.needs_rebooking && one.status === 'booked' ? badge(texts.needs_rebooking, 'warn') : null,
    make('span', {}, doctorName(one.doctor)),
    make('span', {}, clinicName(one.clinic)),
  ];
  return row(clock(one.start), about, (APPOINTMENT_VERBS[one.status] ?? []).map(button), { 'data-status': one.status });
}
