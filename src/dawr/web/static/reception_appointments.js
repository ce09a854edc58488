// The appointments of a day, moving and cancelling them, and who waits for a slot.
import { ask, byId, make, say, texts } from './page.js';
import { Rows, badge, didWords, name, paced, row } from './reception_rows.js';
import { change, clearMistakes, onSubmit } from './forms.js';
import { bookedWords } from './reception_book.js';
import { PLACES, Slots } from './reception_slots.js';
import { clinicName, clock, day, doctorName, moment, nameOf, today } from './reception_words.js';
import { fill } from './words.js';

const TODAY = { booked: ['check_in', 'reschedule', 'no_show', 'cancel'], no_show: ['check_in'], offered: ['accept', 'decline'] };
const OTHER_DAYS = { booked: ['reschedule', 'cancel'], offered: ['accept', 'decline'] };
const WAITING = { waiting: ['withdraw'], offered: ['accept', 'decline', 'withdraw'] };
const dialog = byId('move');
const form = byId('move-form');
const slots = new Slots('move');
let moved = null; // the appointment that is being moved

/** `arrived(answer, name)` is told of somebody who was checked in. Answers `refresh()`, and the steps `move` and `cancel`. */
export function startAppointments({ arrived, said, failed }) {
  const told = { said, failed, changed: () => refresh() };
  const appointments = dayList({ arrived, ...told });
  const waiting = waitingList(told);
  const refresh = () => {
    appointments();
    waiting();
  };
  onSubmit(form, () => move(told), PLACES);
  byId('move-close').addEventListener('click', () => dialog.close());
  return { refresh, move: openMove, cancel: (one) => cancel(one, told) };
}

/* The day */

function dayList({ arrived, said, failed, changed }) {
  const [doctor, status, date] = ['doctor', 'status', 'day'].map((one) => byId(`appointments-${one}`));
  let chosen = ''; // without a day: today, whenever that is
  const rows = new Rows(byId('appointments'), {
    idOf: (one) => one.appointment,
    nameOf: told,
    pathOf: (verb, one) => (verb === 'reschedule' ? null : path(one, verb)),
    rowOf: appointmentRow,
    none: texts.appointments_none,
    done: (verb, answer, one) => {
      if (verb === 'reschedule') return openMove(one);
      said(didWords(verb, told(one)), verb === 'cancel' ? () => bookAgain(one, { said, changed }) : null);
      if (verb === 'check_in') arrived(answer, nameOf(one));
      return changed();
    },
  });
  const refresh = paced(async () => {
    if (!chosen) date.value = today();
    try {
      rows.paint(await appointmentsOf(doctor.value, chosen, status.value));
    } catch (refusal) {
      failed(refusal);
    }
  });
  for (const one of [doctor, status, date]) {
    one.addEventListener('change', () => {
      chosen = date.value === today() ? '' : date.value;
      refresh();
    });
  }
  return refresh;
}

const told = (one) => `${clock(one.start)} ${nameOf(one)}`;
const path = (one, verb) => `/api/v1/appointments/${one.appointment}/${verb.replace('_', '-')}`;
const needsRebooking = (one) => one.status === 'booked' && (one.needs_rebooking || one.doubled);

async function appointmentsOf(doctor, date, status) {
  const rebooking = status === 'needs_rebooking';
  const wish = new URLSearchParams({ limit: 200 });
  for (const [name, value] of Object.entries({ doctor, date, [rebooking ? status : 'status']: rebooking || status })) if (value) wish.set(name, value);
  const items = [];
  let page = null;
  do {
    page = await ask(`/api/v1/appointments?${wish}`);
    items.push(...page.items.filter((one) => !rebooking || needsRebooking(one)));
    wish.set('cursor', page.next);
  } while (page.next);
  return items;
}

function appointmentRow(one, button) {
  const its = one.start.slice(0, 10);
  const verbs = its === today() ? TODAY : OTHER_DAYS;
  const about = [
    name(one),
    badge(texts.appointment_statuses[one.status], one.status === 'checked_in' ? 'good' : null),
    needsRebooking(one) ? badge(texts.needs_rebooking, 'warn') : null,
    make('span', {}, doctorName(one.doctor)),
    make('span', {}, clinicName(one.clinic)),
  ];
  return row(its === today() ? clock(one.start) : moment(one.start), about, (verbs[one.status] ?? []).map(button), { 'data-status': one.status });
}

/* Moving, cancelling */

function openMove(one) {
  moved = one;
  form.reset();
  clearMistakes(form);
  say(byId('move-title'), fill(texts.move_title, { date: day(one.start.slice(0, 10)), time: clock(one.start) }));
  form.elements.doctor.value = one.doctor;
  const its = one.start.slice(0, 10);
  if (its > today()) form.elements.date.value = its;
  slots.offer();
  dialog.showModal();
}

async function move({ said, changed }) {
  const start = slots.chosen();
  try {
    await change(path(moved, 'reschedule'), { start, doctor: slots.doctor });
  } catch (refusal) {
    if (refusal.code === 'slot_taken') await slots.offer();
    throw refusal;
  }
  dialog.close();
  said(bookedWords(start));
  changed();
}

async function cancel(one, { said, failed, changed }) {
  try {
    await change(path(one, 'cancel'));
  } catch (refusal) {
    failed(refusal);
    return;
  }
  said(fill(texts.did.cancel, { what: moment(one.start) }), () => bookAgain(one, { said, changed }));
  changed();
}

/** A cancelled appointment is over for good; the same slot may still be free. */
async function bookAgain(one, { said, changed }) {
  await change('/api/v1/appointments', { patient: one.patient, doctor: one.doctor, start: one.start });
  said(bookedWords(one.start));
  changed();
}

/* The waiting list */

function waitingList({ said, failed, changed }) {
  const rows = new Rows(byId('waiting'), {
    idOf: (one) => one.waiting,
    nameOf,
    pathOf: (verb, one) => (verb === 'withdraw' ? `/api/v1/appointments/waiting/${one.waiting}/withdraw` : path(one, verb)),
    rowOf: waitingRow,
    none: texts.waiting_none,
    done: (verb, _, one) => {
      said(didWords(verb, nameOf(one)));
      changed();
    },
  });
  return paced(async () => {
    try {
      rows.paint((await ask('/api/v1/appointments/waiting?limit=200')).items);
    } catch (refusal) {
      failed(refusal);
    }
  });
}

function waitingRow(one, button) {
  const offered = one.start ? badge(fill(texts.offered_slot, { when: moment(one.start) }), 'good') : null;
  const about = [name(one), offered, make('span', {}, doctorName(one.doctor)), wantedDays(one)];
  return row(make('small', {}, day(one.since.slice(0, 10))), about, WAITING[one.status].map(button), { 'data-status': one.status });
}

/** On which days a slot is wanted, where not on any. */
function wantedDays({ from, until }) {
  const words = from ? (until ? texts.wanted.between : texts.wanted.from) : until && texts.wanted.until;
  const days = Object.entries({ from, until }).map(([end, at]) => [end, at && day(at.slice(0, 10))]);
  return words ? make('span', {}, fill(words, Object.fromEntries(days))) : null;
}
