// Booking an appointment for the chosen patient: a doctor, a day, a free slot.
import { ask, byId, make, texts } from './page.js';
import { count, fill } from './words.js';
import { Mistake, change, clearMistakes, explain, onSubmit } from './forms.js';
import { clock, day } from './reception_words.js';

const form = byId('book-form');
const box = byId('slots');
const PLACES = { slot_taken: 'start', slot_over: 'start', not_a_slot: 'start', patient_busy: 'start', doctor_not_found: 'doctor' };
let asked = 0;

/** `patient()` is the id of whom the appointment is for. */
export function startBooking({ patient, booked, said }) {
  onSubmit(form, () => book(patient(), { booked, said }), PLACES);
  byId('book-doctor').addEventListener('change', offerSlots);
  byId('book-date').addEventListener('change', offerSlots);
}

export function forgetBooking() {
  form.reset();
  clearMistakes(form);
  byId('booking').open = false;
  offerSlots();
}

async function offerSlots() {
  const { value: doctor } = byId('book-doctor');
  const { value: date } = byId('book-date');
  asked += 1;
  const mine = asked;
  if (!doctor || !date) return show([], false);
  try {
    const { items } = await ask(`/api/v1/doctors/${encodeURIComponent(doctor)}/slots?date=${date}`);
    if (mine === asked) show(items.filter((one) => one.free), true);
  } catch (refusal) {
    if (mine === asked) explain(form.querySelector('.form-mistake'), refusal);
  }
}

function show(slots, known) {
  box.querySelector('div').replaceChildren(...slots.map(slot));
  box.hidden = !slots.length;
  byId('slots-none').hidden = !known || slots.length > 0;
}

function slot({ start, left }) {
  const words = left > 1 ? `${clock(start)} · ${count(texts.left, left)}` : clock(start);
  return make('label', {}, make('input', { type: 'radio', name: 'start', value: start }), make('span', {}, words));
}

async function book(patient, { booked, said }) {
  const [doctor, start] = [form.elements.doctor.value, new FormData(form).get('start')];
  if (!doctor) throw new Mistake('doctor');
  if (!byId('book-date').value) throw new Mistake('date');
  if (!start) throw new Mistake(box.hidden ? 'date' : 'start', box.hidden ? texts.slots_none : texts.fill_in);
  try {
    await change('/api/v1/appointments', { patient, doctor, start });
  } catch (refusal) {
    if (refusal.code === 'slot_taken') await offerSlots();
    throw refusal;
  }
  forgetBooking();
  byId('booking').querySelector('summary').focus();
  said(fill(texts.booked, { date: day(start.slice(0, 10)), time: clock(start) }));
  booked();
}
