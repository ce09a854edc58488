// Reception's page: its parts, what they tell each other, and the keys.
import { byId, data, memory, texts } from './page.js';
import { foldFacility } from './fold.js';
import { live } from './live.js';
import { letterOf } from './desk_keys.js';
import { failed, said } from './told.js';
import { closeForm, forgetFound, lookForSomebody, openForm, startFinding } from './reception_find.js';
import { closePerson, print, showPerson, showSlip, startPerson } from './reception_person.js';
import { startAppointments } from './reception_appointments.js';
import { startVisits } from './reception_day.js';
import { closeInbox, openInbox, startInbox } from './inbox.js';
import { startSession } from './session.js';
import { fill } from './words.js';

const EVERYTHING_AGAIN = 30_000;

/** The next person in the line: nothing of the last one stays on the screen, but for a form that was left half filled in. */
function nextPerson() {
  closePerson();
  closeForm();
  forgetFound();
  byId('said').hidden = true;
  lookForSomebody();
}

function start() {
  const told = { said, failed };
  const visited = () => visits(true);
  const { refresh: appointments, ...steps } = startAppointments({
    ...told,
    arrived: (answer, name) => {
      showSlip(answer, name);
      visits(true);
    },
  });
  const person = startPerson({ ...told, steps, visited, booked: appointments });
  const visits = startVisits({ ...told, slipOf: person.slipOf });
  startFinding({
    failed,
    choose: person.open,
    registered: (card) => {
      said(fill(texts.registered, { name: card.name }));
      showPerson(card);
    },
  });
  startSession();
  const inbox = startInbox(told);
  byId('person-close').addEventListener('click', nextPerson);
  byId('slip-close').addEventListener('click', nextPerson);
  listen();
  follow(visits, appointments, inbox);
}

function follow(visits, appointments, inbox) {
  const again = () => {
    visits(true);
    appointments();
  };
  live(`${data.root}/api/v1/events/stream?facility=${encodeURIComponent(data.facility)}&inbox=mine`, {
    fold: foldFacility,
    changed: () => visits(),
    news: inbox.news,
    connection: (up) => {
      inbox.up(up);
      byId('offline').hidden = up;
    },
  });
  again();
  setInterval(() => document.visibilityState === 'visible' && again(), EVERYTHING_AGAIN);
}

/* Keys: single letters outside of fields, which can be switched off; Escape anywhere. */

const KEYS = { f: lookForSomebody, n: openForm, p: print, m: openInbox };

function listen() {
  const wanted = byId('keys-wanted');
  wanted.checked = memory.get('keys') ?? true;
  wanted.addEventListener('change', () => memory.set('keys', wanted.checked));
  addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') {
      if (!closeInbox()) nextPerson();
      return;
    }
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
    if (busy || !wanted.checked || event.target.closest('input:not([type=checkbox], [type=radio]), select, textarea')) return;
    const act = KEYS[letterOf(event)];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

start();
