// The bell: how many messages are new, the list of them, and that they were read.
import { ask, byId, make, say, texts } from './page.js';
import { count } from './words.js';
import { change } from './forms.js';
import { moment } from './reception_words.js';

const EVERY = 5_000;
const INBOX = '/api/v1/notifications';
const bell = byId('bell');
const panel = byId('inbox');

export function startInbox({ failed }) {
  const guarded = (action) => async () => {
    try {
      await action();
    } catch (refusal) {
      failed(refusal);
    }
  };
  bell.addEventListener('click', guarded(() => (panel.hidden ? open() : closeInbox())));
  byId('read-all').addEventListener('click', guarded(readAll));
  panel.addEventListener('click', (event) => {
    const button = event.target.closest('[data-notification]');
    if (button) guarded(() => read(button))();
  });
  addEventListener('click', (event) => {
    if (!panel.contains(event.target) && !bell.contains(event.target)) panel.hidden || closeInbox();
  });
  lookAgain();
  setInterval(lookAgain, EVERY);
}

/** Nobody looks at a page that is out of sight; a lost connection is told by the lists. */
async function lookAgain() {
  if (document.visibilityState !== 'visible') return;
  const { total } = await ask(`${INBOX}?unread=true&total=true&limit=1`).catch(() => ({}));
  if (total === undefined) return;
  const before = byId('unread').dataset.count;
  showCount(total);
  if (!panel.hidden && before !== String(total)) await list().catch(() => null);
}

function showCount(number) {
  const badge = byId('unread');
  badge.dataset.count = number;
  badge.hidden = !number;
  if (String(number) === badge.firstChild?.textContent) return;
  badge.replaceChildren(make('span', { 'aria-hidden': 'true' }, String(number)), make('span', { class: 'hidden-text' }, count(texts.unread, number)));
}

export async function openInbox() {
  if (panel.hidden) bell.click();
}

async function open() {
  panel.hidden = false;
  bell.setAttribute('aria-expanded', 'true');
  await list();
  (panel.querySelector('li .button') ?? byId('read-all')).focus();
}

/** Whether it was open. */
export function closeInbox() {
  if (panel.hidden) return false;
  if (panel.contains(document.activeElement)) bell.focus();
  panel.hidden = true;
  bell.setAttribute('aria-expanded', 'false');
  return true;
}

async function list() {
  const { items } = await ask(`${INBOX}?limit=30`);
  panel.querySelector('ul').replaceChildren(...items.map(row));
  panel.querySelector('.empty').hidden = items.length > 0;
  byId('read-all').hidden = items.every((one) => one.read);
}

function row(one) {
  const mark = make('button', { type: 'button', class: 'button', 'data-notification': one.notification }, texts.mark_read);
  mark.append(make('span', { class: 'hidden-text' }, ` ${one.text}`));
  return make(
    'li',
    { class: one.read ? null : 'unread' },
    make('span', { dir: 'auto' }, one.text),
    make('small', {}, moment(one.at)),
    one.read ? null : mark,
  );
}

async function read(button) {
  await change(`${INBOX}/${button.dataset.notification}/read`);
  await after();
}

async function readAll() {
  const { unread } = await change(`${INBOX}/read-all`);
  showCount(unread);
  await after();
}

async function after() {
  await list();
  await lookAgain();
  (panel.querySelector('li .button') ?? bell).focus();
}
