// The consultation of one ticket: whose it is, how long it lasts, what was found; saved in one piece with the end of the ticket.
import { Refusal, ask, byId, data, memory, randomName, say, texts } from './page.js';
import { fill } from './words.js';
import { Mistake, change, explain, filled, onSubmit } from './forms.js';
import { foldQueue } from './fold.js';
import { live } from './live.js';
import { draftOf } from './draft.js';
import { startHistory } from './history.js';
import { startInbox } from './inbox.js';
import { openNotes } from './notes.js';
import { clinicName, facts, nameOf } from './reception_words.js';
import { startSession } from './session.js';

const OPEN = ['called', 'serving'];
const AWAY = ['waiting', 'held'];
const OWN_CODE = '*';
const CODE = /^[A-Za-z][A-Za-z0-9_.-]*$/;
// Where what the API says belongs to a field.
const PLACES = {
  clinic_not_found: 'refer_to',
  clinic_closed: 'refer_to',
  queue_paused: 'refer_to',
  queue_full: 'refer_to',
  already_in_queue: 'refer_to',
};
const form = byId('consult-form');
const draft = draftOf(`${data.root}/${data.ticket.ticket}`, data.account);
const ahead = Date.parse(data.now) - Date.now(); // of this computer's clock
let { ticket } = data;
let saved = false;
let kept = null; // the consultation that was saved here
let asked = 0; // an answer that something younger has overtaken is not shown

function learn(answer) {
  asked += 1;
  ticket = answer;
  paint();
}

function failed(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  explain(byId('error'), refusal);
}

/* What is shown */

function paint() {
  const open = OPEN.includes(ticket.status);
  say(byId('status'), texts.statuses[ticket.status]);
  byId('calling').hidden = ticket.status !== 'called';
  const unsure = Boolean(draft.read()?.sent); // perhaps it is over because these very words were saved: ask once more
  byId('saving').hidden = !open && !unsure;
  byId('over').hidden = open || unsure;
  if (!open) say(byId('over'), fill(AWAY.includes(ticket.status) ? texts.away : texts.ended, { code: ticket.code, status: texts.statuses[ticket.status] }));
  form.hidden = !open && !AWAY.includes(ticket.status) && !form.elements.notes.value;
  byId('writing').hidden = saved;
  byId('saved').hidden = !saved;
  tick();
}

/** Minutes and seconds since the person came in. */
function tick() {
  const timer = byId('timer');
  timer.hidden = ticket.status !== 'serving' || saved;
  if (timer.hidden) return;
  const seconds = Math.max(0, Math.floor((Date.now() + ahead - Date.parse(ticket.started_at)) / 1000));
  say(timer, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`);
}

/** Whose visit it is and why they came; that it was opened is kept. */
async function openVisit() {
  try {
    const visit = await ask(`/api/v1/visits/${data.visit}`);
    say(byId('person-name').firstChild, nameOf(visit.patient));
    byId('person-about').replaceChildren(...facts(visit.patient).filter(Boolean));
    say(byId('reason').lastElementChild, visit.reason ?? '');
    byId('reason').hidden = !visit.reason;
    startHistory(visit.patient.patient, { failed });
  } catch (refusal) {
    failed(refusal);
  }
}

/* The steps of who was called */

async function step(button) {
  const { verb } = button.dataset;
  button.disabled = true;
  byId('error').hidden = true;
  try {
    learn(await change(`/api/v1/queue/${verb}`, { ticket: ticket.ticket }));
    if (verb === 'serve') form.elements.notes.focus();
    if (verb === 'recall') say(byId('status'), fill(texts.did.recall, { code: ticket.code }));
  } catch (refusal) {
    failed(refusal);
    await lookAgain();
  } finally {
    button.disabled = false;
  }
}

/** Somebody at another desk may have done something to this ticket. */
async function lookAgain() {
  asked += 1;
  const mine = asked;
  try {
    const answer = await ask(`/api/v1/queue/ticket/${ticket.ticket}`);
    if (mine === asked) learn(answer);
  } catch (refusal) {
    failed(refusal);
  }
}

/* What was found */

function body() {
  const { notes, outcome, code, refer_to: refer } = filled(form);
  if (!notes) throw new Mistake('notes');
  if (outcome === OWN_CODE && !CODE.test(code ?? '')) throw new Mistake('code', code ? texts.check_code : texts.fill_in);
  return {
    ticket: ticket.ticket,
    notes,
    ...(outcome && { outcome: outcome === OWN_CODE ? code : outcome }),
    ...(refer && { refer_to: refer }),
  };
}

/** The same words are sent under the same key, also after a reload: so they are saved once. */
function keyOf(wish) {
  const sent = JSON.stringify(wish);
  const before = draft.read();
  if (before?.sent === sent) return before.key;
  const key = randomName();
  draft.write({ ...typed(), sent, key });
  return key;
}

const typed = () => Object.fromEntries(new FormData(form));

function keep() {
  draft.write({ ...draft.read(), ...typed() });
}

function restore() {
  for (const [name, value] of Object.entries(draft.read() ?? {})) {
    if (name in form.elements) form.elements[name].value = value;
  }
  offerCode();
}

function offerCode() {
  byId('own-code').hidden = form.elements.outcome.value !== OWN_CODE;
}

async function save(button) {
  const wish = body();
  try {
    kept = await change('/api/v1/consultations', wish, { key: keyOf(wish) });
  } catch (refusal) {
    if (!refusal.passing) draft.write(typed());
    if (refusal.status === 409 && !(refusal.code in PLACES)) await lookAgain();
    throw refusal;
  }
  finish(wish);
  if (button?.value === 'next') await callNext();
}

function finish(wish) {
  draft.clear();
  form.reset();
  saved = true;
  const said = wish.refer_to ? texts.saved_and_sent : texts.saved;
  say(byId('saved-title'), fill(said, { code: ticket.code, clinic: clinicName(wish.refer_to) }));
  learn({ ...ticket, status: wish.refer_to ? 'transferred' : 'done' });
  byId('saved-title').focus();
}

function look() {
  openNotes(kept.consultation, {
    failed,
    changed: ({ status }) => {
      const withdrawn = status === 'entered_in_error';
      say(byId('saved-title'), fill(withdrawn ? texts.withdrawn : texts.saved_again, { code: ticket.code }));
      byId('look').hidden = withdrawn;
      byId('saved-title').focus();
    },
  });
}

async function callNext() {
  const button = byId('call-next');
  const desk = ticket.desk ?? memory.get(`desk.${data.root}/${data.clinic}`);
  button.disabled = true;
  byId('next-mistake').hidden = true;
  try {
    const called = await change('/api/v1/queue/call', { clinic: data.clinic, ...(desk && { desk }) });
    location.assign(`${data.root}/consultation/${called.ticket}`);
  } catch (refusal) {
    explain(byId('next-mistake'), refusal);
    if (refusal.code === 'queue_empty') say(byId('next-mistake'), texts.queue_empty);
  } finally {
    button.disabled = false;
  }
}

/* Starting */

function start() {
  startSession();
  restore();
  form.addEventListener('input', keep);
  form.elements.outcome.addEventListener('change', offerCode);
  onSubmit(form, save, PLACES);
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit(byId('saving').lastElementChild);
  });
  for (const button of byId('calling').children) button.addEventListener('click', () => step(button));
  byId('call-next').addEventListener('click', callNext);
  byId('look').addEventListener('click', look);
  paint();
  setInterval(tick, 1000);
  if (data.visit) openVisit();
  const inbox = startInbox({ failed });
  live(`${data.root}/api/v1/events/stream?clinic=${encodeURIComponent(data.clinic)}&inbox=mine`, {
    fold: foldQueue,
    changed: (_, update) => {
      if (!saved && (!update || update.code === ticket.code)) lookAgain();
    },
    news: inbox.news,
    connection: (up) => {
      inbox.up(up);
      byId('offline').hidden = up;
    },
  });
}

start();
