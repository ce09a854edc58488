// One consultation looked at closely: everything that was ever written of it; its author writes another version, or withdraws it.
import { ask, byId, make, texts } from './page.js';
import { fill } from './words.js';
import { Mistake, alter, change, clearMistakes, filled, onSubmit } from './forms.js';
import { moment } from './times.js';

const dialog = byId('notes');
const amending = byId('amend-form');
const withdrawing = byId('withdraw-form');
let shown = null; // the consultation in the dialog
let told = null;
let openings = 0;

/** `changed(card)` is told what became of it, `failed(refusal)` why it cannot be read. That it was read is kept. */
export async function openNotes(consultation, { changed, failed }) {
  openings += 1;
  const mine = openings;
  try {
    const opened = await ask(pathOf(consultation));
    if (mine !== openings) return;
    told = changed;
    show(opened);
    begin();
    dialog.showModal();
  } catch (refusal) {
    failed(refusal);
  }
}

const pathOf = (consultation) => `/api/v1/consultations/${consultation}`;

function show(opened) {
  shown = opened;
  byId('notes-versions').replaceChildren(...opened.versions.map(version).reverse());
}

/** The forms, with the present version in them. */
function begin() {
  const mine = shown.mine && shown.status !== 'entered_in_error' && shown.notes !== null;
  for (const form of [amending, withdrawing]) {
    form.reset();
    clearMistakes(form);
  }
  byId('amending').hidden = !mine;
  byId('withdrawing').hidden = !mine;
  byId('withdrawing').open = false;
  amending.elements.notes.value = shown.notes ?? '';
  const field = amending.elements.outcome;
  const value = shown.outcome ?? '';
  // What the list does not offer would be emptied by saving.
  if (![...field.options].some((one) => one.value === value)) field.append(make('option', { value }, value));
  field.value = value;
}

function version(one) {
  const withdrawn = one.status === 'entered_in_error';
  const title = make('h3', {}, make('span', {}, fill(texts.version, { number: one.version })), make('small', {}, moment(one.at)));
  const outcome = texts.outcomes[one.outcome] ?? one.outcome;
  return make(
    'li',
    {},
    title,
    withdrawn ? make('p', {}, make('span', { class: 'badge error' }, texts.entered_in_error)) : null,
    outcome && !withdrawn ? make('p', { class: 'facts' }, make('bdi', {}, outcome)) : null,
    make('p', { class: 'notes', dir: 'auto' }, one.notes ?? texts.no_notes),
  );
}

async function amend() {
  const mine = openings;
  const { notes, outcome = null } = filled(amending);
  if (!notes) throw new Mistake('notes');
  const path = pathOf(shown.consultation);
  if (notes === shown.notes.trim() && outcome === shown.outcome) return dialog.close();
  try {
    return done(mine, await alter('PATCH', path, { notes, outcome, version: shown.version }), notes);
  } catch (refusal) {
    // What was typed stays, and the version that came between stands above it.
    const between = refusal.code === 'changed_meanwhile' ? await ask(path) : null;
    if (between && mine === openings) show(between);
    throw refusal;
  }
}

async function withdraw() {
  const mine = openings;
  const { reason } = filled(withdrawing);
  if (!reason) throw new Mistake('reason');
  done(mine, await change(`${pathOf(shown.consultation)}/withdraw`, { reason }), reason);
}

/** An answer that comes when another consultation has been opened leaves that one open. */
function done(mine, card, notes) {
  if (mine === openings) dialog.close();
  told({ ...card, notes });
}

/** What was read of somebody does not stay on the page. */
function forget() {
  shown = null;
  byId('notes-versions').replaceChildren();
  amending.reset();
  withdrawing.reset();
}

onSubmit(amending, amend);
onSubmit(withdrawing, withdraw);
dialog.addEventListener('close', forget);
