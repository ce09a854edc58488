// One person registered twice: who may be the same, both records side by side, merging, and taking apart again.
import { ask, byId, make, texts } from './page.js';
import { fill } from './words.js';
import { Mistake, change, clearMistakes, onSubmit, question } from './forms.js';
import { choice, why } from './reception_find.js';
import { day, facts, nameOf } from './reception_words.js';

const panel = byId('same');
const parts = byId('parts');
const form = byId('merge-form');
const other = byId('other-form');
const ASKED = ['name', 'names', 'phones', 'birth_date', 'gender', 'national_id', 'record_number', 'language', 'email'];
let card = null;
let second = null; // the record it is compared with

/** `patient()` is the chosen card; `changed(card)` is told of the record that is there afterwards. */
export function startMerging({ patient, changed, said, failed }) {
  const told = { changed, said, failed };
  const choose = (id) => compare(id).catch(failed);
  panel.addEventListener('toggle', () => panel.open && !card && look(patient(), choose, told));
  onSubmit(other, () => search(choose));
  onSubmit(form, () => merge(told));
  byId('merge-close').addEventListener('click', closeComparison);
}

export function forgetMerging() {
  panel.open = false;
  card = null;
  other.reset();
  clearMistakes(other);
  for (const list of panel.querySelectorAll('.choices')) list.replaceChildren();
  parts.hidden = true;
  closeComparison();
}

/** `card` may be another one when an answer comes: then it is about nobody on the screen. */
async function look(patient, choose, told) {
  card = patient;
  try {
    const found = await likelyAndMerged(patient);
    if (card === patient) list(...found, choose, told);
  } catch (refusal) {
    if (card !== patient) return;
    card = null;
    told.failed(refusal);
  }
}

function likelyAndMerged(patient) {
  const wish = Object.fromEntries(ASKED.filter((name) => patient[name]).map((name) => [name, patient[name]]));
  if (!wish.birth_date && patient.birth_year) wish.birth_year = patient.birth_year;
  return Promise.all([
    question('/api/v1/patients/duplicates', wish),
    ask(`/api/v1/patients/${patient.patient}/merged`),
  ]);
}

function list(likely, merged, choose, told) {
  const others = likely.items.filter((one) => one.patient !== card.patient);
  byId('same-likely').replaceChildren(...others.map((one) => choice(one, choose, why(one))));
  byId('same-none').hidden = others.length > 0;
  parts.querySelector('ul').replaceChildren(...merged.items.map((one) => partOf(one, told)));
  parts.hidden = !merged.items.length;
}

async function search(choose) {
  const query = other.elements.query.value.trim();
  if (!query) throw new Mistake('query');
  const mine = card;
  const { items } = await question('/api/v1/patients/search', { query });
  if (card !== mine) return;
  const others = items.filter((one) => one.patient !== mine.patient);
  byId('other-found').replaceChildren(...others.map((one) => choice(one, choose)));
  if (!others.length) throw new Mistake('query', texts.found_none);
}

/* Side by side */

/** Opens the other record; that it was opened is kept. */
async function compare(id) {
  const mine = card;
  const opened = await question(`/api/v1/patients/${id}/open`);
  if (card !== mine) return;
  second = opened;
  form.querySelector('tbody').replaceChildren(...rows(card, second));
  form.hidden = false;
  byId('merge-title').focus();
}

function rows(one, two) {
  const [ours, theirs] = [aspects(one), aspects(two)];
  return Object.entries(ours).map(([name, value]) => {
    const differs = value !== theirs[name];
    const cells = [value, theirs[name]].map((text) => make('td', {}, make('bdi', {}, text || '–')));
    return make('tr', { class: differs ? 'differs' : null }, make('th', { scope: 'row' }, texts.aspects[name]), ...cells);
  });
}

const aspects = (patient) => ({
  name: nameOf(patient),
  names: Object.values(patient.names).join(', '),
  born: patient.birth_date ? day(patient.birth_date) : String(patient.birth_year ?? ''),
  gender: texts.genders[patient.gender] ?? '',
  phones: patient.phones.join(', '),
  national_id: patient.national_id ?? '',
  record_number: patient.record_number ?? '',
  email: patient.email ?? '',
  language: texts.languages[patient.language] ?? patient.language ?? '',
  since: day(patient.created_at.slice(0, 10)),
});

function closeComparison() {
  second = null;
  form.hidden = true;
  form.reset();
  clearMistakes(form);
}

/* Merging and taking apart */

/** Once another record is open, that they were merged is only told. */
async function merge(told) {
  if (!form.elements.sure.checked) throw new Mistake('sure', texts.check_same);
  const mine = card;
  const [stays, goes] = form.elements.stays.value === 'this' ? [card, second] : [second, card];
  const merged = await change(`/api/v1/patients/${goes.patient}/merge`, { into: stays.patient });
  if (card === mine) {
    forgetMerging();
    told.changed(merged);
  }
  told.said(fill(texts.merged, { name: nameOf(merged) }), () => takeApart(goes.patient, merged.patient, told));
}

async function takeApart(part, whole, { changed, said }) {
  await change(`/api/v1/patients/${part}/unmerge`);
  forgetMerging();
  changed(await question(`/api/v1/patients/${whole}/open`));
  said(texts.parted);
}

function partOf(one, told) {
  const button = make('button', { type: 'button', class: 'button' }, texts.take_apart);
  button.append(make('span', { class: 'hidden-text' }, ` ${nameOf(one)}`));
  const about = make('p', { class: 'facts' }, make('b', {}, make('bdi', {}, nameOf(one))), ...facts(one).filter(Boolean));
  button.addEventListener('click', () => takeApart(one.patient, card.patient, told).catch(told.failed));
  return make('li', {}, about, button);
}
