// A doctor, a day and their free slots: the part that booking and moving an appointment share.
import { ask, byId, make, texts } from './page.js';
import { count } from './words.js';
import { Mistake, explain } from './forms.js';
import { clock, laterDay } from './reception_words.js';

const DAYS_AHEAD = 31;
export const PLACES = { slot_taken: 'start', slot_over: 'start', not_a_slot: 'start', patient_busy: 'start', doctor_not_found: 'doctor' };

export class Slots {
  #asked = 0;

  /** `form` names its fields: `book` has `book-doctor`, `book-date`, `book-slots` … */
  constructor(form) {
    this.form = byId(`${form}-form`);
    this.part = (name) => byId(`${form}-${name}`);
    for (const name of ['doctor', 'date']) this.part(name).addEventListener('change', () => this.offer());
    this.part('next').addEventListener('click', () => this.#nextDay());
  }

  get doctor() {
    return this.part('doctor').value;
  }

  /** The slot that was chosen; a Mistake where there is none. */
  chosen() {
    const start = new FormData(this.form).get('start');
    if (!this.doctor) throw new Mistake('doctor');
    if (!this.part('date').value) throw new Mistake('date');
    if (!start) throw new Mistake(this.part('slots').hidden ? 'date' : 'start', this.part('slots').hidden ? texts.slots_none : texts.fill_in);
    return start;
  }

  async offer() {
    this.#asked += 1;
    const mine = this.#asked;
    const date = this.part('date').value;
    if (!this.doctor || !date) return this.#show([], false);
    try {
      const free = await freeOn(this.doctor, date);
      if (mine === this.#asked) this.#show(free, true);
    } catch (refusal) {
      if (mine === this.#asked) explain(this.form.querySelector('.form-mistake'), refusal);
    }
  }

  /** Goes to the first day after the one that is shown on which the doctor has a free slot. */
  async #nextDay() {
    const { doctor } = this;
    if (!doctor) return this.part('doctor').focus();
    const from = this.part('date').value;
    this.#asked += 1;
    const mine = this.#asked;
    try {
      for (let days = 1; days <= DAYS_AHEAD; days += 1) {
        const free = await freeOn(doctor, laterDay(from, days));
        if (mine !== this.#asked) return;
        if (free.length) {
          this.part('date').value = laterDay(from, days);
          return this.#show(free, true);
        }
      }
      this.#show([], true);
    } catch (refusal) {
      explain(this.form.querySelector('.form-mistake'), refusal);
    }
  }

  #show(slots, known) {
    this.part('slots').querySelector('div').replaceChildren(...slots.map(slot));
    this.part('slots').hidden = !slots.length;
    this.part('none').hidden = !known || slots.length > 0;
  }
}

async function freeOn(doctor, date) {
  const { items } = await ask(`/api/v1/doctors/${encodeURIComponent(doctor)}/slots?date=${date}`);
  return items.filter((one) => one.free);
}

function slot({ start, left }) {
  const words = left > 1 ? `${clock(start)} · ${count(texts.left, left)}` : clock(start);
  return make('label', {}, make('input', { type: 'radio', name: 'start', value: start }), make('span', {}, words));
}
