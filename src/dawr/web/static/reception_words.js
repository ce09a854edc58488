// How people, days and places are named on reception's page.
import { data, make, texts } from './page.js';
import { day } from './times.js';
import { fill } from './words.js';

export { clock, day, moment } from './times.js';

const clinics = new Map(data.clinics.map((one) => [one.clinic, one]));
const doctors = new Map(data.doctors.map((one) => [one.doctor, one]));
export const clinicName = (id) => clinics.get(id)?.name ?? id;
export const clinicFloor = (id) => clinics.get(id)?.floor;
export const doctorName = (id) => doctors.get(id)?.name ?? id;

export const nameOf = (patient) => patient.name ?? texts.erased;

/** What tells people of one name apart: names in other scripts, birth, gender, phone. */
export function facts(patient) {
  const born = patient.birth_date ? day(patient.birth_date) : patient.birth_year;
  return [
    ...Object.entries(patient.names ?? {}).map(([lang, name]) => make('span', { lang }, make('bdi', {}, name))),
    born ? make('span', {}, fill(texts.born, { date: born })) : null,
    patient.gender && patient.gender !== 'unknown' ? make('span', {}, texts.genders[patient.gender]) : null,
    make('span', {}, make('bdi', { dir: patient.phone ? 'ltr' : null }, patient.phone ?? texts.no_phone)),
  ];
}
