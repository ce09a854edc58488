// Days and times on the clock of the house. The digits are those printed on tickets, in every language.
import { data } from './page.js';

const LOCALE = `${data.lang}-u-nu-latn-ca-gregory`;
const days = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeZone: 'UTC' });
const clocks = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'short', timeZone: data.zone });
const moments = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short', timeZone: data.zone });

/** A day such as `1990-05-17`. */
export const day = (iso) => days.format(new Date(`${iso}T00:00:00Z`));
/** An instant on the clock of the house. */
export const clock = (iso) => clocks.format(new Date(iso));
export const moment = (iso) => moments.format(new Date(iso));
