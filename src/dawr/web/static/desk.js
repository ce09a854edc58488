// The desk: one queue, worked with one click or one key a step. What is shown always comes from the server.
import { Refusal, ask, byId, data, make, memory, paced, pause, post, say, texts } from './page.js';
import { fill } from './words.js';
import { foldQueue } from './fold.js';
import { live } from './live.js';
import { ageOf, paintLists, refreshAges } from './desk_lists.js';
import { listenToKeys } from './desk_keys.js';
import { startDay } from './desk_day.js';
import { openInbox, startInbox } from './inbox.js';
import { startSession } from './session.js';

const TOAST_FOR = 10_000;
const LOOK_AGAIN = 1_000;
const DESK = `desk.${data.root}/${data.clinic}`;
const deskChoice = byId('desk-choice');
let tickets = [];
let last = null; // the last step of this page, for Undo
let toastTimer = 0;

/* What is shown */

let learnt = 0;

/** Fetches the lists, once a second at most however much happens, and always once more after the last change. */
const refresh = paced(load, LOOK_AGAIN);

async function load() {
  const before = learnt;
  try {
    const path = `/api/v1/queue/tickets?clinic=${encodeURIComponent(data.clinic)}`;
    const [open, ended] = await Promise.all([ask(path), ask(`${path}&ended=true`)]);
    if (learnt !== before) return; // older than what this desk has done meanwhile; once more after that
    tickets = [...open.items, ...ended.items];
    paint();
  } catch (refusal) {
    explain(refusal);
    if (refusal.passing) {
      await pause(2000);
      refresh();
    }
  }
}

/** What an answer says of a ticket is shown at once; the lists know its name and its place in them. */
function learn(answer) {
  learnt += 1;
  const known = tickets.some((one) => one.ticket === answer.ticket);
  tickets = known ? tickets.map((one) => (one.ticket === answer.ticket ? { ...one, ...answer } : one)) : [...tickets, answer];
  paint();
}

/** Who is at this desk: called or being served here, the latest first. Without a desk: at any. */
const here = () =>
  tickets
    .filter((one) => ['called', 'serving'].includes(one.status) && (!deskChoice.value || one.desk === deskChoice.value))
    .sort((a, b) => (b.called_at ?? '').localeCompare(a.called_at ?? ''));

function paint() {
  paintLists(tickets, step);
  const [current] = here();
  byId('now').dataset.ticket = current?.ticket ?? '';
  say(byId('now-code'), current?.code ?? texts.nobody);
  say(byId('now-about'), current ? about(current) : '');
  offerConsultation(current);
  for (const button of byId('now-verbs').querySelectorAll('[data-verb]')) {
    button.hidden = !current || !button.dataset.from.split(' ').includes(current.status);
  }
}

/** For a doctor of this clinic: where notes and outcome of who is here are written. */
function offerConsultation(current) {
  const link = byId('now-consult');
  if (!link) return;
  link.hidden = !current;
  if (current) link.href = `${data.root}/consultation/${current.ticket}`;
}

const about = (ticket) =>
  [texts.statuses[ticket.status], ticket.desk && fill(texts.desk, { desk: ticket.desk }), ticket.name, ageOf(ticket)]
    .filter(Boolean)
    .join(' · ');

/* What is done */

const busy = new Set();

/** One step of one ticket. A second click while the first is on its way does nothing. */
async function step(verb, ticket, more = {}) {
  if (verb === 'transfer' && !more.to) {
    askWhereTo(ticket);
    return;
  }
  await once(ticket.ticket, async () => {
    const desk = verb === 'call' && deskChoice.value ? { desk: deskChoice.value } : {};
    const answer = await post(`/api/v1/queue/${verb}`, { ticket: ticket.ticket, ...desk, ...more });
    learn(verb === 'transfer' ? { ...ticket, status: 'transferred' } : answer);
    if (verb === 'undo') toast(texts.undone);
    else did(verb, verb === 'transfer' ? ticket : answer);
  });
}

async function callNext() {
  await once('next', async () => {
    const desk = deskChoice.value ? { desk: deskChoice.value } : {};
    const answer = await post('/api/v1/queue/call', { clinic: data.clinic, ...desk });
    learn(answer);
    did('call', answer);
  });
}

async function once(what, action) {
  if (busy.has(what)) return;
  busy.add(what);
  byId('call-next').disabled = busy.has('next');
  hideError();
  try {
    await action();
  } catch (refusal) {
    explain(refusal);
  } finally {
    busy.delete(what);
    byId('call-next').disabled = false;
    refresh();
  }
}

function did(verb, ticket) {
  last = ticket;
  toast(fill(texts.did[verb], { code: ticket.code }), true);
}

function toast(text, undoable = false) {
  clearTimeout(toastTimer);
  if (!undoable) last = null;
  say(byId('toast-text'), text);
  byId('toast-undo').hidden = !undoable;
  byId('toast').hidden = false;
  toastTimer = setTimeout(() => {
    byId('toast').hidden = true;
  }, TOAST_FOR);
}

function undo() {
  if (last) step('undo', last);
}

/* What went wrong */

function explain(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  const empty = refusal.code === 'queue_empty';
  const text = refusal.status === 401 ? texts.signed_out : empty ? texts.queue_empty : refusal.message;
  const notice = byId('error');
  notice.className = `notice ${empty ? 'info' : 'error'}`;
  notice.hidden = false;
  notice.replaceChildren(text);
  if (refusal.status === 401) notice.append(' ', make('a', { href: `${data.root}/desk` }, texts.sign_in));
}

function hideError() {
  byId('error').hidden = true;
}

/* Sending on to another clinic */

function askWhereTo(ticket) {
  const dialog = byId('transfer');
  say(byId('transfer-title'), fill(texts.transfer_title, { code: ticket.code }));
  dialog.returnValue = '';
  dialog.onclose = () => {
    if (dialog.returnValue !== 'send') return;
    step('transfer', ticket, { to: byId('transfer-to').value, place: byId('transfer-place').value });
  };
  dialog.showModal();
}

/* Starting */

function useDesk() {
  memory.set(DESK, deskChoice.value);
  paint();
}

function start() {
  const remembered = memory.get(DESK);
  if ([...deskChoice.options].some((option) => option.value === remembered)) deskChoice.value = remembered;
  deskChoice.addEventListener('change', useDesk);
  byId('clinic-choice').addEventListener('change', (event) => event.target.form.submit());
  byId('call-next').addEventListener('click', callNext);
  byId('toast-undo').addEventListener('click', undo);
  for (const button of byId('now-verbs').querySelectorAll('[data-verb]')) {
    button.addEventListener('click', () => onCurrent(button.dataset.verb));
  }
  const inbox = startInbox({ failed: explain });
  listenToKeys({ callNext, undo, onCurrent, openInbox, consult: () => byId('now-consult')?.click() });
  startSession();
  startDay();
  live(`${data.root}/api/v1/events/stream?clinic=${encodeURIComponent(data.clinic)}&inbox=mine`, {
    fold: foldQueue,
    changed: refresh,
    news: inbox.news,
    connection: (up) => {
      inbox.up(up);
      byId('offline').hidden = up;
    },
  });
  refresh();
  setInterval(refreshAges, 20_000);
}

/** A step of whoever is at this desk now. */
function onCurrent(verb) {
  const [current] = here();
  const button = byId('now-verbs').querySelector(`[data-verb=${verb}]`);
  if (!current) toast(texts.no_current);
  else if (!button.hidden) step(verb, current);
}

if (data.clinic) start();
