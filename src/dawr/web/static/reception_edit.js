// Changing the chosen patient's record. What a colleague changed meanwhile is shown, and nothing that was typed is lost.
import { byId, make, texts } from './page.js';
import { fill, latin } from './words.js';
import { Mistake, alter, clearMistakes, mark, onSubmit, question } from './forms.js';
import { nameOf } from './reception_words.js';

const MOST_PHONES = 5;
const SIMPLE = ['name', 'gender', 'national_id', 'record_number', 'language', 'email'];
const SCRIPTS = ['ar', 'hi', 'en'];
const NAMES = SCRIPTS.map((script) => `name_${script}`);
const BIRTH = ['birth_date', 'birth_year'];
const WISHES = ['channels', 'opted_out', 'quiet_from', 'quiet_to'];
const PLACES = { names: 'name_ar', phone: 'phones', preferences: 'quiet_from' };

const panel = byId('editing');
const form = byId('edit-form');
let reading = null; // `card`, the record as it was read, and `base`, the same as the form has it

/** `patient()` is the chosen card; `changed(card)` is told of the one that was saved. */
export function startEditing({ patient, changed, said, failed }) {
  onSubmit(form, () => save({ changed, said, failed }), PLACES);
  panel.addEventListener('toggle', () => panel.open && !reading && begin(patient()));
  byId('edit-phone-more').addEventListener('click', () => addPhone('').focus());
}

export function forgetEditing() {
  panel.open = false;
  reading = null;
  form.reset();
  clearMistakes(form);
}

function begin(patient) {
  reading = { card: patient, base: shown(patient) };
  for (const [name, value] of Object.entries(reading.base)) put(name, value);
}

/** A record as its form has it: each field a text, lists with a line for each. */
function shown(patient) {
  const wishes = patient.preferences;
  return {
    ...Object.fromEntries(SIMPLE.map((name) => [name, patient[name] ?? ''])),
    ...Object.fromEntries(SCRIPTS.map((script) => [`name_${script}`, patient.names[script] ?? ''])),
    phones: patient.phones.join('\n'),
    birth_date: patient.birth_date ?? '',
    birth_year: patient.birth_date ? '' : String(patient.birth_year ?? ''),
    channels: Object.keys(texts.channels).filter((one) => !wishes.channels || wishes.channels.includes(one)).join('\n'),
    opted_out: wishes.opted_out ? 'yes' : '',
    quiet_from: wishes.quiet_from ?? '',
    quiet_to: wishes.quiet_to ?? '',
  };
}

function typed() {
  const sent = new FormData(form);
  const lines = (name) => sent.getAll(name).map((one) => one.trim()).filter(Boolean).join('\n');
  return { ...Object.fromEntries(Object.keys(reading.base).map((name) => [name, lines(name)])), birth_year: latin(lines('birth_year')) };
}

function put(name, value) {
  if (name === 'phones') {
    byId('edit-phones').replaceChildren();
    for (const phone of value.split('\n')) addPhone(phone);
  } else if (name === 'channels' || name === 'opted_out') {
    for (const box of form.querySelectorAll(`[name=${name}]`)) box.checked = value.split('\n').includes(box.value);
  } else {
    const field = form.elements[name];
    // What the list does not offer would be emptied by saving.
    if (field.options && ![...field.options].some((one) => one.value === value)) field.append(make('option', { value }, value));
    field.value = value;
  }
}

function addPhone(value) {
  const box = byId('edit-phones');
  const label = fill(texts.phone_number, { number: box.children.length + 1 });
  const input = make('input', { name: 'phones', type: 'tel', maxlength: 32, dir: 'ltr', 'aria-label': label, 'aria-describedby': 'edit-phones-mistake' });
  input.value = value;
  box.append(input);
  byId('edit-phone-more').hidden = box.children.length >= MOST_PHONES;
  return input;
}

/** What is sent: fields that differ from what was read, and no others. */
function differences(mine) {
  const differs = (names) => names.some((name) => mine[name] !== reading.base[name]);
  const sent = Object.fromEntries(SIMPLE.filter((name) => differs([name])).map((name) => [name, mine[name] || null]));
  if (differs(NAMES)) sent.names = names(mine);
  if (differs(['phones'])) sent.phones = lines(mine.phones);
  if (differs(BIRTH)) Object.assign(sent, { birth_date: mine.birth_date || null, birth_year: birthYear(mine) });
  if (differs(WISHES)) sent.preferences = wishes(mine);
  return sent;
}

const lines = (text) => text.split('\n').filter(Boolean);

/** In the scripts of the form as they stand there, in others as they were. */
function names(mine) {
  const others = Object.entries(reading.card.names).filter(([script]) => !SCRIPTS.includes(script));
  const own = SCRIPTS.map((script) => [script, mine[`name_${script}`]]).filter(([, name]) => name);
  return Object.fromEntries([...others, ...own]);
}

function birthYear(mine) {
  if (mine.birth_date || !mine.birth_year) return null;
  if (!/^\d{4}$/.test(mine.birth_year)) throw new Mistake('birth_year', texts.check_field);
  return Number(mine.birth_year);
}

function wishes(mine) {
  if (!mine.quiet_from !== !mine.quiet_to) throw new Mistake(mine.quiet_from ? 'quiet_to' : 'quiet_from');
  const channels = lines(mine.channels);
  return {
    channels: channels.length === Object.keys(texts.channels).length ? null : channels,
    opted_out: Boolean(mine.opted_out),
    quiet_from: mine.quiet_from || null,
    quiet_to: mine.quiet_to || null,
  };
}

/** Once another record is open, an answer is only told. */
async function save({ changed, said, failed }) {
  const mine = reading;
  const sent = typed();
  if (!sent.name) throw new Mistake('name');
  try {
    const saved = await keep(sent, differences(sent));
    if (reading !== mine) return said(fill(texts.saved_of, { name: nameOf(saved) }));
    forgetEditing();
    changed(saved);
    said(texts.saved);
  } catch (refusal) {
    if (reading === mine) throw refusal;
    failed(Object.assign(refusal, { message: fill(texts.not_saved_of, { name: nameOf(mine.card) }) }));
  }
}

/** The record with what was typed. */
async function keep(sent, different) {
  const mine = reading;
  const { patient, version } = mine.card;
  if (!Object.keys(different).length) return mine.card;
  try {
    return await alter('PATCH', `/api/v1/patients/${patient}`, { ...different, version });
  } catch (refusal) {
    if (refusal.code !== 'changed_meanwhile' || reading !== mine) throw refusal;
    const now = await question(`/api/v1/patients/${patient}/open`);
    if (reading === mine) compare(sent, now);
    if (reading === mine && !Object.keys(differences(typed())).length) return now;
    throw Object.assign(refusal, { message: texts.changed_meanwhile });
  }
}

/** Takes over what a colleague wrote where nothing was typed; where both wrote, theirs is said beside the field. */
function compare(mine, now) {
  const [base, theirs] = [reading.base, shown(now)];
  for (const name of Object.keys(theirs)) {
    if (mine[name] === base[name]) put(name, theirs[name]);
    else if (theirs[name] !== base[name] && theirs[name] !== mine[name]) mark(form, name, fill(texts.theirs, { value: words(name, theirs[name]) }));
  }
  Object.assign(reading, { card: now, base: theirs });
}

function words(name, value) {
  const known = { gender: texts.genders, language: texts.languages, channels: texts.channels, opted_out: { yes: texts.yes } }[name] ?? {};
  return lines(value).map((one) => known[one] ?? one).join(', ') || texts.nothing;
}
