// The chosen patient: a visit, an appointment; and the slip with the ticket that they take along.
import { ask, byId, data, make, say, texts } from './page.js';
import { fill } from './words.js';
import { change, clearMistakes, explain, filled, onSubmit, question } from './forms.js';
import { clinicFloor, clinicName, facts, nameOf } from './reception_words.js';
import { forgetBooking, startBooking } from './reception_book.js';
import { forgetEditing, startEditing } from './reception_edit.js';
import { forgetMerging, startMerging } from './reception_same.js';
import { forgetTrail, startTrail } from './reception_trail.js';

const OPEN = ['waiting', 'called', 'serving', 'held'];
const visitForm = byId('visit-form');
// Where a refusal of a visit is said.
const PLACES = {
  already_in_queue: 'clinic',
  clinic_closed: 'clinic',
  clinic_not_found: 'clinic',
  queue_paused: 'clinic',
  queue_full: 'clinic',
  entry_not_open: 'clinic',
  visit_without_clinic: 'clinic',
  doctor_not_found: 'doctor',
  priority_not_allowed: 'priority',
};
let chosen = null;

/** `steps` are those of an appointment; `visited()` and `booked()` are told of what was made, `said(text)` says it, `failed(refusal)` what was in the way. */
export function startPerson({ steps, visited, booked, said, failed }) {
  onSubmit(visitForm, () => makeVisit({ visited, said, failed }), PLACES);
  byId('visit-clinic').addEventListener('change', offerDoctors);
  byId('visit-doctor').addEventListener('change', offerClinic);
  startBooking({ patient: () => chosen.patient, booked, said });
  const record = { patient: () => chosen, changed: showPerson, said, failed };
  startEditing(record);
  startMerging(record);
  startTrail({ ...record, steps });
  byId('print').addEventListener('click', () => print());
  offerDoctors();
  return { open: (patient) => open(patient, failed), slipOf: (visit) => slipOf(visit, failed) };
}

/** Opens a record; that it was opened is kept. */
async function open(patient, failed) {
  try {
    showPerson(await question(`/api/v1/patients/${patient}/open`));
  } catch (refusal) {
    failed(refusal);
  }
}

export function showPerson(card) {
  if (chosen?.patient !== card.patient) forgetForms();
  chosen = card;
  say(byId('person-name').firstChild, nameOf(card));
  const language = texts.languages[card.language];
  byId('person-about').replaceChildren(...[...facts(card), language && make('span', {}, language)].filter(Boolean));
  byId('slip').hidden = true;
  byId('person').hidden = false;
  byId('person-name').focus();
}

/** What was written about one person is not sent for the next. */
function forgetForms() {
  visitForm.reset();
  clearMistakes(visitForm);
  offerDoctors();
  forgetBooking();
  forgetEditing();
  forgetMerging();
  forgetTrail();
}

function offerDoctors() {
  const clinic = byId('visit-clinic').value;
  const select = byId('visit-doctor');
  const before = select.value;
  const fitting = data.doctors.filter((one) => !clinic || one.clinics.includes(clinic));
  const first = make('option', { value: '' }, texts.any_doctor);
  select.replaceChildren(first, ...fitting.map((one) => make('option', { value: one.doctor }, one.name)));
  if (fitting.some((one) => one.doctor === before)) select.value = before;
}

/** Who asks for a doctor alone goes to the doctor's first clinic; it shows, and can be changed. */
function offerClinic() {
  const doctor = data.doctors.find((one) => one.doctor === byId('visit-doctor').value);
  if (!doctor?.clinics.length || byId('visit-clinic').value) return;
  [byId('visit-clinic').value] = doctor.clinics;
  offerDoctors();
}

/** Once another record is open, an answer is only told: a slip would be taken for the next person's. */
async function makeVisit({ visited, said, failed }) {
  const person = chosen;
  const ofWhom = (text) => (chosen === person ? text : `${nameOf(person)}: ${text}`);
  try {
    const visit = await change('/api/v1/visits', { patient: person.patient, ...filled(visitForm) });
    said(ofWhom(fill(texts.visit_made, { number: visit.visit_number, code: visit.tickets[0].code })));
    visited();
    if (chosen !== person) return;
    showSlip(visit, nameOf(person));
    forgetForms();
  } catch (refusal) {
    if (chosen !== person) return failed(Object.assign(refusal, { message: ofWhom(refusal.message) }));
    if (refusal.code === 'already_in_queue' && refusal.problem.visit) offerPresent(refusal);
    throw refusal;
  }
}

/** Somebody waits there already: their ticket can be shown, and printed once more. */
function offerPresent({ problem }) {
  const button = make('button', { type: 'button', class: 'button' }, texts.waits_already);
  const notice = visitForm.querySelector('.form-mistake');
  button.addEventListener('click', () => slipOf(problem.visit, (refusal) => explain(notice, refusal)));
  notice.replaceChildren(button);
  notice.hidden = false;
}

/* The slip */

async function slipOf(id, failed) {
  try {
    const visit = await ask(`/api/v1/visits/${id}`);
    showSlip(visit, nameOf(visit.patient));
  } catch (refusal) {
    failed(refusal);
  }
}

/** `visit` has `visit_number` and `tickets` as the queue answers them. */
export function showSlip(visit, name) {
  byId('person').hidden = true;
  say(byId('slip-number'), visit.visit_number);
  say(byId('slip-for'), name);
  const open = visit.tickets.filter((one) => OPEN.includes(one.status));
  byId('slip-tickets').replaceChildren(...(open.length ? open : visit.tickets.slice(-1)).map(slipTicket));
  byId('slip-late').hidden = !visit.late;
  say(byId('slip-late'), visit.late ? texts.late : '');
  byId('slip').hidden = false;
  byId('slip-title').focus();
}

function slipTicket(ticket) {
  const part = byId('slip-ticket').content.firstElementChild.cloneNode(true);
  say(part.querySelector('.code bdi'), ticket.code);
  const floor = clinicFloor(ticket.clinic);
  say(part.querySelector('.place'), [clinicName(ticket.clinic), floor && fill(texts.floor, { floor })].filter(Boolean).join(' · '));
  if (ticket.follow) {
    part.querySelector('img').src = `${data.root}${ticket.follow}/code.svg`;
    part.querySelector('figure').hidden = false;
  }
  return part;
}

export async function print() {
  if (byId('slip').hidden) return;
  await Promise.all([...byId('slip').querySelectorAll('img[src]')].map((image) => image.decode().catch(() => null)));
  globalThis.print();
}

export function closePerson() {
  byId('person').hidden = true;
  byId('slip').hidden = true;
  chosen = null;
  forgetForms();
}
