// Other systems that are told what happens.
import { ask, byId, make, say, texts } from './page.js';
import { count, fill } from './words.js';
import { Mistake, alter, change, filled, onSubmit, question } from './forms.js';
import { failed, said } from './told.js';

const API = '/api/v1/webhooks';
const section = byId('hooks');
const form = byId('hook-form');

export function startHooks() {
  say(section.querySelector('.empty'), texts.webhooks_none);
  onSubmit(form, add);
  look().catch(failed);
}

async function look() {
  const { items } = await ask(API);
  section.querySelector('ul').replaceChildren(...items.map(row));
  section.querySelector('.empty').hidden = items.length > 0;
}

async function add() {
  const { url, types } = filled(form);
  if (!url) throw new Mistake('url');
  const made = await change(API, { url, types: (types ?? '').split(',').map((one) => one.trim()).filter(Boolean) });
  form.reset();
  form.closest('details').open = false;
  showSecret(made.secret);
  await look();
}

/** It is shown by nothing else, so it stays until the page is left. */
function showSecret(secret) {
  byId('hook-secret').hidden = false;
  say(byId('hook-secret'), fill(texts.secret_once, { secret }));
}

function row(one) {
  const doing = [
    one.enabled ? make('span', { class: 'badge good' }, texts.in_use) : make('span', { class: 'badge' }, texts.not_in_use),
    one.attempts ? make('span', { class: 'badge warn' }, texts.trying) : null,
    one.failures ? make('span', { class: 'badge error' }, count(texts.skipped, one.failures)) : null,
  ];
  const about = make('div', { class: 'about' }, make('b', {}, make('bdi', { dir: 'ltr' }, one.url)), make('span', {}, make('bdi', {}, one.types.join(', ') || texts.everything)), ...doing.filter(Boolean));
  const line = make('li', { class: 'row' }, about);
  const told = make('p', { class: 'told', role: 'status' });
  line.append(make('div', { class: 'verbs' }, ...verbs(one, told)), told);
  return line;
}

function verbs(one, told) {
  const path = `${API}/${one.webhook}`;
  const again = step('resend', one, async () => {
    await change(`${path}/failures/resend`);
    said(texts.resent);
    await look();
  });
  return [
    ...(one.failures ? [again] : []),
    step('try', one, async () => say(told, answered(await question(`${path}/test`)))),
    step(one.enabled ? 'switch_off' : 'switch_on', one, async () => {
      await alter('PATCH', path, { enabled: !one.enabled });
      await look();
    }),
    step('new_secret', one, async () => showSecret((await change(`${path}/rotate`)).secret)),
    step('remove', one, async () => {
      if (!confirm(texts.remove_sure)) return;
      await alter('DELETE', path);
      await look();
      said(texts.stopped);
    }),
  ];
}

function step(verb, one, act) {
  const button = make('button', { type: 'button', class: 'button', 'data-verb': verb }, texts[verb], make('span', { class: 'hidden-text' }, ` ${one.url}`));
  button.addEventListener('click', () => act().catch(failed));
  return button;
}

const answered = ({ status, accepted, reason }) => (status ? fill(accepted ? texts.hook_accepted : texts.hook_refused, { status }) : texts.hook_silent[reason]);
