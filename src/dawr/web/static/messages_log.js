// What was sent to whom, by which channel, with what result; what could not be sent is sent again.
import { ask, byId, make, say, texts } from './page.js';
import { change } from './forms.js';
import { moment } from './times.js';
import { failed, said } from './told.js';

const KINDS = { failed: 'error', expired: 'warn', sent: 'good', delivered: 'good', read: 'good' };
const section = byId('log');
const list = section.querySelector('ul');
const filters = ['status', 'channel'].map((name) => [name, byId(`log-${name}`)]);
let next = null;
let asked = 0;

export function startLog() {
  for (const [, select] of filters) select.addEventListener('change', () => look());
  byId('log-again').addEventListener('click', () => look());
  section.querySelector('.more').addEventListener('click', () => look(next));
  say(section.querySelector('.empty'), texts.log_none);
  look();
}

/** The newest, or from a page's end on. */
async function look(cursor = null) {
  asked += 1;
  const mine = asked;
  const wish = new URLSearchParams({ limit: 30, ...(cursor && { cursor }) });
  for (const [name, { value }] of filters) if (value) wish.set(name, value);
  try {
    const page = await ask(`/api/v1/deliveries?${wish}`);
    if (mine !== asked) return;
    if (!cursor) list.replaceChildren();
    list.append(...page.items.map(row));
    next = page.next;
    section.querySelector('.more').hidden = next === null;
    section.querySelector('.empty').hidden = list.children.length > 0;
  } catch (refusal) {
    failed(refusal);
  }
}

function row(one) {
  const badge = make('span', { class: `badge ${KINDS[one.status] ?? ''}` }, one.result);
  const parts = [one.channel_name, make('bdi', { dir: one.to ? 'ltr' : null }, one.to ?? texts.to_nobody), badge, one.why, one.maybe_twice ? texts.maybe_twice : null];
  const about = make('div', { class: 'about' }, make('b', {}, one.about), ...parts.filter(Boolean).map((part) => make('span', {}, part)));
  const line = make('li', { class: 'row', 'data-status': one.status }, make('b', {}, moment(one.created_at)), about);
  if (one.resendable) line.append(make('div', { class: 'verbs' }, again(one, line)));
  return line;
}

function again(one, line) {
  const button = make('button', { type: 'button', class: 'button', 'data-verb': 'resend' }, texts.resend);
  button.append(make('span', { class: 'hidden-text' }, ` ${one.about} ${one.to ?? ''}`));
  button.addEventListener('click', async () => {
    try {
      line.replaceWith(row(await change(`/api/v1/deliveries/${one.delivery}/resend`)));
      said(texts.resent);
      byId('log-again').focus();
    } catch (refusal) {
      failed(refusal);
    }
  });
  return button;
}
