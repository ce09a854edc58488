// How people, days and places are named on reception's page.
import { data, make, texts } from './page.js';
import { day } from './times.js';
import { fill } from './words.js';

export * from './times.js';

// The house's clock counts: that of this computer may be wrong.
const ahead = Date.parse(data.now) - Date.now();
const isoDays = new Intl.DateTimeFormat('en-CA', { timeZone: data.zone });
/** The day that the calendar of the house shows, and the one so many days after another. */
export const today = () => isoDays.format(new Date(Date.now() + ahead));
export const laterDay = (iso, count) => new Date(Date.parse(`${iso}T00:00:00Z`) + count * 86_400_000).toISOString().slice(0, 10);

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
