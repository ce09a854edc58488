// A list of things of the day, each with the steps that can be taken. A row is made anew only when its thing changed.
import { Refusal, make, pause, say, texts } from './page.js';
import { change, explain } from './forms.js';
import { nameOf } from './reception_words.js';
import { fill } from './words.js';

const AT_FIRST = 30;
const APART = 2_000;

export class Rows {
  /** `rowOf(item, button)` makes a row; `button(verb)` a step of it. `done(verb, answer, item)` is told of what was done. */
  constructor(section, { idOf, nameOf, pathOf, rowOf, done, none }) {
    Object.assign(this, { section, idOf, nameOf, pathOf, rowOf, done, items: [], shown: AT_FIRST, busy: new Set(), made: new Map() });
    this.list = section.querySelector('ul');
    this.empty = section.querySelector('.empty');
    this.more = section.querySelector('.more');
    say(this.empty, none);
    this.more.addEventListener('click', () => this.#showMore());
  }

  paint(items) {
    this.items = items;
    const focused = this.#focused();
    const rows = items.slice(0, this.shown).map((item) => this.#row(item));
    const wanted = new Set(rows);
    for (const row of [...this.list.children]) if (!wanted.has(row)) row.remove();
    rows.forEach((row, place) => {
      if (this.list.children[place] !== row) this.list.insertBefore(row, this.list.children[place] ?? null);
    });
    say(this.section.querySelector('h2 span'), String(items.length));
    this.empty.hidden = items.length > 0;
    this.more.hidden = items.length <= this.shown;
    this.#focusAgain(focused);
  }

  #showMore() {
    const place = this.shown;
    this.shown += AT_FIRST;
    this.paint(this.items);
    this.list.children[place]?.querySelector('button')?.focus();
  }

  #focused() {
    const row = this.list.contains(document.activeElement) && document.activeElement.closest('li');
    return row ? row.dataset.id : null;
  }

  /** The keyboard stays where it was, also when the row was made anew because of what it has just done. */
  #focusAgain(id) {
    if (!id || this.list.contains(document.activeElement)) return;
    this.list.querySelector(`[data-id="${id}"] button`)?.focus();
  }

  #row(item) {
    const id = this.idOf(item);
    const print = JSON.stringify(item);
    const known = this.made.get(id);
    if (known?.print === print) return known.row;
    const row = this.rowOf(item, (verb) => this.#button(verb, item));
    row.dataset.id = id;
    this.made.set(id, { print, row });
    return row;
  }

  #button(verb, item) {
    const button = make('button', { type: 'button', class: 'button', 'data-verb': verb }, texts[verb]);
    button.append(make('span', { class: 'hidden-text' }, ` ${this.nameOf(item)}`));
    button.addEventListener('click', () => this.#step(verb, item, button.closest('li')));
    return button;
  }

  async #step(verb, item, row) {
    const id = this.idOf(item);
    if (this.busy.has(id)) return;
    this.busy.add(id);
    row.querySelector('.mistake')?.remove();
    try {
      const path = this.pathOf(verb, item);
      this.done(verb, path ? await change(path) : null, item);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const mistake = make('p', { class: 'mistake', role: 'alert' });
      row.append(mistake);
      explain(mistake, refusal);
    } finally {
      this.busy.delete(id);
    }
  }
}

/** What is said of a step that was taken. */
export const didWords = (verb, what) => fill(texts.did[verb], { what });

/** Calls `load(wish)` now and, however often it is asked to meanwhile, once more after a pause: with the latest wish. */
export function paced(load) {
  let wanted = null;
  let running = false;
  return async (everything = false) => {
    wanted = (wanted ?? false) || everything;
    if (running) return;
    running = true;
    try {
      while (wanted !== null) {
        const wish = wanted;
        wanted = null;
        await load(wish);
        await pause(APART);
      }
    } finally {
      running = false;
    }
  };
}

/* What rows are made of */

export const name = (patient) => make('b', {}, make('bdi', {}, nameOf(patient)));
export const badge = (words, kind) => make('span', { class: `badge ${kind ?? ''}` }, words);

export const row = (first, about, verbs, attributes) =>
  make('li', { class: 'row', ...attributes }, make('b', {}, first), make('div', { class: 'about' }, ...about.filter(Boolean)), make('div', { class: 'verbs' }, ...verbs));
