// Finding a patient, and registering one who is not known yet.
import { byId, make, say, texts } from './page.js';
import { count, latin } from './words.js';
import { Mistake, change, clearMistakes, filled, onSubmit, question } from './forms.js';
import { facts, nameOf } from './reception_words.js';

const query = byId('find-query');
const found = byId('found');
const section = byId('new');
const form = byId('new-form');
let next = null; // where the next page of what was found begins
let looked = ''; // for what duplicates were shown last

/** `choose(id)` opens a record that was found, `registered(card)` is told of the one that was made, `failed` what was in the way. */
export function startFinding({ choose, registered, failed }) {
  onSubmit(byId('find'), () => search(choose));
  byId('found-more').addEventListener('click', () => more(choose).catch(failed));
  byId('find').addEventListener('keydown', (event) => walk(event));
  found.addEventListener('keydown', (event) => walk(event));
  byId('register').addEventListener('click', () => openForm());
  byId('new-close').addEventListener('click', () => closeForm());
  onSubmit(form, (button) => register(button, { choose, registered }), { names: 'name_ar' });
  form.addEventListener('input', hideLikely);
}

/* Finding */

async function search(choose) {
  const text = query.value.trim();
  if (!text) throw new Mistake('query');
  const answer = await question('/api/v1/patients/search', { query: text });
  found.replaceChildren();
  list(answer, choose, text);
  say(byId('found-count'), answer.items.length ? count(texts.found, answer.items.length) : texts.found_none);
}

/** The cursor belongs to what was searched for; what stands in the box may be something else by now. */
async function more(choose) {
  const { query: text, cursor } = next;
  const place = found.children.length;
  list(await question('/api/v1/patients/search', { query: text, cursor }), choose, text);
  say(byId('found-count'), count(texts.found, found.children.length));
  found.children[place]?.firstChild.focus();
}

function list(answer, choose, text) {
  found.append(...answer.items.map((one) => choice(one, choose)));
  next = answer.next && { query: text, cursor: answer.next };
  byId('found-more').hidden = !next;
}

/** Why two records are likely of one person. */
export const why = (one) => make('span', { class: 'badge warn' }, one.reasons.map((reason) => texts.reasons[reason]).join(' · '));

export function choice(patient, choose, ...more) {
  const button = make('button', { type: 'button', class: 'button', 'data-patient': patient.patient });
  button.append(make('b', {}, make('bdi', {}, nameOf(patient))), make('span', { class: 'facts' }, ...facts(patient).filter(Boolean), ...more));
  button.addEventListener('click', () => choose(patient.patient));
  return make('li', {}, button);
}

/** Down from the box into the list, and through it. */
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...found.querySelectorAll('button')];
  const at = buttons.indexOf(document.activeElement);
  if (!step || !buttons.length || (at < 0 && document.activeElement !== query)) return;
  event.preventDefault();
  (at + step < 0 ? query : buttons[Math.min(at + step, buttons.length - 1)]).focus();
}

export function lookForSomebody() {
  query.focus();
  query.select();
}

export function forgetFound() {
  byId('find').reset();
  clearMistakes(byId('find'));
  found.replaceChildren();
  say(byId('found-count'), '');
  byId('found-more').hidden = true;
}

/* Registering */

export function openForm() {
  section.hidden = false;
  byId('register').setAttribute('aria-expanded', 'true');
  byId('new-name').focus();
}

/** What was typed stays in it. */
export function closeForm() {
  section.hidden = true;
  byId('register').setAttribute('aria-expanded', 'false');
}

function body() {
  const { name_ar: arabic, birth_year: year, ...typed } = filled(form);
  if (!typed.name) throw new Mistake('name');
  if (year && !/^\d{4}$/.test(latin(year))) throw new Mistake('birth_year', texts.check_field);
  return {
    ...typed,
    ...(arabic ? { names: { ar: arabic } } : {}),
    ...(year && !typed.birth_date ? { birth_year: Number(latin(year)) } : {}),
  };
}

/** Asks first who is likely the same person; pressed again, or "all the same", it registers. */
async function register(button, { choose, registered }) {
  const wish = body();
  const print = JSON.stringify(wish);
  if (button?.value !== 'anyway' || looked !== print) {
    looked = print;
    const { items } = await question('/api/v1/patients/duplicates', wish);
    if (items.length) {
      showLikely(items, choose);
      return;
    }
  }
  const card = await change('/api/v1/patients', wish);
  form.reset();
  hideLikely();
  closeForm();
  registered(card);
}

function showLikely(items, choose) {
  const chosen = (patient) => {
    form.reset();
    hideLikely();
    closeForm();
    choose(patient);
  };
  byId('likely').querySelector('ul').replaceChildren(...items.map((one) => choice(one, chosen, why(one))));
  byId('likely').hidden = false;
  byId('new-anyway').hidden = false;
  byId('new-save').hidden = true;
  byId('likely-title').focus();
}

function hideLikely() {
  byId('likely').hidden = true;
  byId('new-anyway').hidden = true;
  byId('new-save').hidden = false;
}
