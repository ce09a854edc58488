// The lists of the desk. A row is made anew only when its ticket changed, so that an open menu stays open.
import { byId, data, make, say, texts } from './page.js';
import { count, fill } from './words.js';

const SHOWN = 40;
const OPEN = ['waiting', 'called', 'serving', 'held'];
const LISTS = {
  called: { statuses: ['called'] },
  serving: { statuses: ['serving'] },
  waiting: { statuses: ['waiting'] },
  held: { statuses: ['held'] },
  ended: { statuses: ['done', 'no_show', 'cancelled', 'transferred', 'expired'] },
};
/** The verbs of each state: those in reach, then those behind "More". */
const VERBS = {
  waiting: [['call'], ['hold', 'transfer', 'cancel', 'undo']],
  called: [['serve', 'done'], ['recall', 'no_show', 'hold', 'transfer', 'cancel', 'undo']],
  serving: [['done'], ['hold', 'transfer', 'undo']],
  held: [['resume'], ['transfer', 'cancel', 'undo']],
  no_show: [['rejoin'], ['undo']],
};
const ENDED = [['undo'], []];
const rows = new Map();

/** Paints all lists; `step(verb, ticket)` does what a button says. */
export function paintLists(tickets, step) {
  for (const [name, { statuses }] of Object.entries(LISTS)) {
    const members = tickets.filter((one) => statuses.includes(one.status));
    const shown = members.slice(0, SHOWN);
    const list = byId(`list-${name}`);
    arrange(list.querySelector('ul'), shown.map((ticket) => rowOf(ticket, step)));
    say(list.querySelector('h2 span'), String(members.length));
    list.querySelector('.empty').hidden = members.length > 0;
    const rest = list.querySelector('.rest');
    rest.hidden = members.length <= shown.length;
    if (!rest.hidden) say(rest, count(texts.and_more, members.length - shown.length));
  }
  forget(new Set(tickets.map((one) => one.ticket)));
  refreshAges();
}

function rowOf(ticket, step) {
  const print = JSON.stringify({ ...ticket, wait: null, position: 0, ahead: 0 });
  const known = rows.get(ticket.ticket);
  if (known?.print === print) return known.row;
  const row = makeRow(ticket, step);
  rows.set(ticket.ticket, { print, row });
  return row;
}

function forget(present) {
  for (const id of rows.keys()) if (!present.has(id)) rows.delete(id);
}

/** Brings `list` to hold exactly `wanted`, touching only what differs. */
function arrange(list, wanted) {
  const kept = new Set(wanted);
  for (const child of [...list.children]) if (!kept.has(child)) child.remove();
  wanted.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
}

function makeRow(ticket, step) {
  const [near, more] = VERBS[ticket.status] ?? ENDED;
  const button = (verb, kind) => {
    const element = make('button', { type: 'button', class: `button ${kind}`, 'data-verb': verb }, texts.verbs[verb]);
    element.append(make('span', { class: 'hidden-text' }, ` ${ticket.code}`));
    element.addEventListener('click', () => {
      element.closest('details')?.removeAttribute('open');
      step(verb, ticket);
    });
    return element;
  };
  const verbs = make('div', { class: 'verbs' }, ...near.map((verb) => button(verb, '')));
  if (more.length) verbs.append(menu(ticket, more.map((verb) => make('li', {}, button(verb, 'quiet')))));
  return make('li', { class: 'row', 'data-code': ticket.code }, make('b', {}, make('bdi', {}, ticket.code)), aboutRow(ticket), verbs);
}

function menu(ticket, items) {
  const label = make('span', { class: 'hidden-text' }, ` ${ticket.code}`);
  return make('details', { class: 'menu' }, make('summary', { class: 'button' }, texts.more, label), make('ul', {}, ...items));
}

function aboutRow(ticket) {
  const part = (text, kind = null) => (text ? make('span', { class: kind }, text) : null);
  const open = OPEN.includes(ticket.status);
  const urgent = ticket.priority === 'emergency' ? 'badge error' : 'badge warn';
  return make(
    'div',
    { class: 'about' },
    part(ticket.priority !== 'normal' && texts[ticket.priority], urgent),
    part(ticket.late && texts.late, 'badge warn'),
    part(ticket.name),
    part(open && ticket.desk && fill(texts.desk, { desk: ticket.desk })),
    part(ticket.doctor && fill(texts.for_doctor, { doctor: data.doctors[ticket.doctor] ?? ticket.doctor })),
    part(!open && texts.statuses[ticket.status]),
    make('span', { 'data-since': sinceOf(ticket) ?? '' }),
  );
}

const sinceOf = (ticket) => ticket.ended_at ?? ticket.started_at ?? ticket.called_at ?? ticket.entered_at;

/** How long a ticket has been in its state, in words. */
export const ageOf = (ticket) => age(sinceOf(ticket));

function age(since) {
  if (!since) return '';
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 60_000));
  return count(texts.since.minutes, minutes);
}

export function refreshAges() {
  for (const element of document.querySelectorAll('[data-since]')) say(element, age(element.dataset.since));
}

// A menu closes when the next one opens, when something else is clicked, and on Escape.
addEventListener('click', (event) => {
  for (const open of document.querySelectorAll('details.menu[open]')) if (!open.contains(event.target)) open.open = false;
});
addEventListener('keydown', (event) => {
  const open = event.key === 'Escape' && document.querySelector('details.menu[open]');
  if (!open) return;
  open.open = false;
  open.querySelector('summary').focus();
});
