// Booking an appointment for the chosen patient, or a place on a doctor's waiting list.
import { byId, texts } from './page.js';
import { fill } from './words.js';
import { Mistake, change, clearMistakes, filled, onSubmit } from './forms.js';
import { PLACES, Slots } from './reception_slots.js';
import { clock, day, doctorName } from './reception_words.js';

const form = byId('book-form');
const slots = new Slots('book');

/** `patient()` is the id of whom the appointment is for. */
export function startBooking({ patient, booked, said }) {
  const done = (text) => {
    forgetBooking();
    byId('booking').querySelector('summary').focus();
    said(text);
    booked();
  };
  onSubmit(form, async (button) => done(await (button?.value === 'wait' ? wait(patient()) : book(patient()))), PLACES);
}

export function forgetBooking() {
  form.reset();
  clearMistakes(form);
  byId('booking').open = false;
  slots.offer();
}

async function book(patient) {
  const start = slots.chosen();
  try {
    await change('/api/v1/appointments', { patient, doctor: slots.doctor, start });
  } catch (refusal) {
    if (refusal.code === 'slot_taken') await slots.offer();
    throw refusal;
  }
  return bookedWords(start);
}

export const bookedWords = (start) => fill(texts.booked, { date: day(start.slice(0, 10)), time: clock(start) });

async function wait(patient) {
  const { doctor } = slots;
  if (!doctor) throw new Mistake('doctor');
  const { from, until } = filled(form);
  await change('/api/v1/appointments/waiting', { patient, doctor, from, until });
  return fill(texts.waits, { doctor: doctorName(doctor) });
}
