// Sentences that the server painted first. What is decided here is decided in `phrases.py` in the same way.
import { data, texts } from './page.js';

const plurals = new Intl.PluralRules(data.lang);
const MINUTES_UP_TO = 90;

/** `fill('Desk %(desk)s', {desk: '2'})` */
export const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);

/** The form of a text with a plural that fits `num`. */
export function count(forms, num, values = {}) {
  return fill(forms[plurals.select(num)] ?? forms.other, { num, ...values });
}

/** Which sentence fits a range of minutes, and its two numbers, rounded outwards. */
export function waitShape(low, high) {
  if (high < 1) return ['moment', 0, 0];
  if (high > MINUTES_UP_TO) {
    const hours = Math.floor(low / 60);
    return [hours ? 'hours' : 'up_to_hours', hours, Math.ceil(high / 60)];
  }
  const rounded = high > 20 ? [Math.floor(low / 5) * 5, Math.ceil(high / 5) * 5] : [low, high];
  return [rounded[0] < rounded[1] ? 'minutes' : 'about_minutes', ...rounded];
}

/** A wait as the API gives it, in words; empty when there is nothing honest to say. */
export function waitWords(wait) {
  if (!wait) return '';
  const [name, low, high] = waitShape(wait.low_minutes, wait.high_minutes);
  return name === 'moment' ? texts.wait.moment : count(texts.wait[name], high, { low });
}

/** What a ticket's state means to who holds it: a headline and a sentence. */
export function statusWords(ticket) {
  const key = statusKey(ticket);
  const [headline, sentence] = texts.statuses[key];
  if (key === 'waiting') return [headline, count(texts.ahead, ticket.ahead)];
  return [headline, fill(sentence, { desk: ticket.desk })];
}

function statusKey(ticket) {
  if (ticket.status === 'waiting' && ticket.ahead === 0) return 'next';
  return ticket.status === 'called' && ticket.desk ? 'called_desk' : ticket.status;
}

/** Digits of the Arabic and the Indian keyboard as those of the API. */
export const latin = (text) => text.replace(/\p{Nd}/gu, (digit) => {
  const zero = [0x30, 0x660, 0x6f0, 0x966].findLast((start) => start <= digit.codePointAt(0));
  return String(digit.codePointAt(0) - zero);
});
