// What has happened with the chosen patient and, for administrators, who changed and who opened the record.
import { ask, byId, make, texts } from './page.js';
import { explain } from './forms.js';
import { clinicName, doctorName, moment } from './reception_words.js';
import { fill } from './words.js';

const panel = byId('trail');
let shown = null; // the reading whose rows are on the screen: an answer to another one comes too late
let people = null;

/** `patient()` is the chosen card, `steps` what can be done with an appointment. That the history was read is kept. */
export function startTrail({ patient, steps }) {
  const entryOf = (one) => entry(one, { ...steps, cancel: (appointment) => steps.cancel(appointment).then(again) });
  const again = () => panel.open && shown && begin(shown.patient, entryOf);
  byId('move').addEventListener('close', again);
  panel.addEventListener('toggle', () => panel.open && shown?.patient !== patient().patient && begin(patient().patient, entryOf));
}

export function forgetTrail() {
  panel.open = false;
  shown = null;
  for (const list of panel.querySelectorAll('ul')) list.replaceChildren();
}

async function begin(patient, entryOf) {
  const reading = { patient };
  shown = reading;
  const mistake = panel.querySelector('.form-mistake');
  mistake.hidden = true;
  try {
    const count = await pages('entries', 'history', reading, entryOf);
    if (shown !== reading) return;
    byId('entries-none').hidden = count > 0;
    if (!byId('accesses')) return;
    await pages('changes', 'changes', reading, changed);
    if (shown === reading) await pages('accesses', 'accesses', reading, access);
  } catch (refusal) {
    if (shown !== reading) return;
    shown = null;
    explain(mistake, refusal);
  }
}

/** The first page of a list, with a button for the next ones; how many rows it has. */
async function pages(id, what, reading, rowOf) {
  const button = byId(`${id}-more`);
  const next = async (cursor) => {
    const page = await ask(`/api/v1/patients/${reading.patient}/${what}?limit=20${cursor && `&cursor=${cursor}`}`);
    if (id !== 'entries') people ??= await names();
    if (shown !== reading) return;
    byId(id).append(...page.items.map(rowOf));
    button.hidden = page.next === null;
    button.onclick = () => next(page.next).catch((refusal) => shown === reading && explain(panel.querySelector('.form-mistake'), refusal));
  };
  byId(id).replaceChildren();
  button.hidden = true;
  await next('');
  return byId(id).children.length;
}

function entry(one, steps) {
  const words = { visit: texts.visit_statuses, appointment: texts.appointment_statuses }[one.kind]?.[one.status];
  const where = one.doctor ? doctorName(one.doctor) : [...new Set((one.tickets ?? []).map((ticket) => clinicName(ticket.clinic)))].join(', ');
  return row(moment(one.at), texts.kinds[one.kind], words, where || (one.clinic && clinicName(one.clinic)), one.visit_number && make('bdi', {}, one.visit_number), one.status === 'booked' && stepsOf(one, steps));
}

function stepsOf(one, { move, cancel }) {
  const step = (verb, act) => {
    const button = make('button', { type: 'button', class: 'button', 'data-verb': verb }, texts[verb], make('span', { class: 'hidden-text' }, ` ${moment(one.start)}`));
    button.addEventListener('click', () => act(one));
    return button;
  };
  return make('span', { class: 'verbs' }, step('reschedule', move), step('cancel', cancel));
}

function changed(one) {
  const fields = [...new Set(one.fields.map((field) => texts.fields[field] ?? field))].join(', ');
  return row(moment(one.at), who(one.actor), fill(texts.changes[one.type] ?? one.type, { fields }));
}

function access(one) {
  return row(moment(one.at), who(one.actor), texts.purposes[one.purpose], one.break_glass ? make('span', { class: 'badge warn' }, texts.break_glass) : null, one.reason);
}

const who = (actor) => (actor === 'system' ? texts.system : (people.get(actor) ?? texts.somebody));
const row = (when, ...parts) => make('li', {}, make('small', {}, when), ...parts.filter(Boolean).map((one) => make('span', { dir: 'auto' }, one)));

/** Who signs in here, as the trail names them. */
async function names() {
  const found = new Map();
  for (let cursor = ''; cursor !== null; ) {
    const page = await ask(`/api/v1/users?limit=200${cursor && `&cursor=${cursor}`}`);
    for (const one of page.items) found.set(`account:${one.user}`, one.name);
    cursor = page.next;
  }
  return found;
}
