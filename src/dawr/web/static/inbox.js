// The bell: how many messages are new, the list of them, and that they were read.
import { ask, byId, make, paced, say, texts } from './page.js';
import { count } from './words.js';
import { change } from './forms.js';
import { moment } from './times.js';

const WITHOUT_STREAM = 5_000;
const WITH_STREAM = 60_000; // marked as read somewhere else
const APART = 1_000;
const INBOX = '/api/v1/notifications';
const bell = byId('bell');
const panel = byId('inbox');

let known = null; // how many were new when it was looked last
let timer = 0;

/** Looks at once, once a second at most however much comes, and always once more after the last. */
const news = paced(lookAgain, APART);

/** `failed(refusal)` is told what is in the way. Answers what a live stream has to tell: `news()`, and whether it is `up`. */
export function startInbox({ failed, streaming = true }) {
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
  for (const part of [bell, panel]) part.addEventListener('keydown', closeOnEscape);
  document.addEventListener('visibilitychange', news);
  const up = (connected) => {
    clearInterval(timer);
    timer = setInterval(news, connected ? WITH_STREAM : WITHOUT_STREAM);
  };
  up(streaming);
  news();
  return { news, up };
}

function closeOnEscape(event) {
  if (event.key === 'Escape' && closeInbox()) event.stopPropagation();
}

/** Nobody looks at a page that is out of sight; a lost connection is told by the lists. */
async function lookAgain() {
  if (document.visibilityState !== 'visible') return;
  const { total } = await ask(`${INBOX}?unread=true&total=true&limit=1`).catch(() => ({}));
  if (total === undefined) return;
  const before = known;
  showCount(total);
  if (before === total) return;
  if (!panel.hidden) await list().catch(() => null);
  if (before !== null) say(byId('inbox-said'), total > before ? count(texts.unread, total) : '');
}

function showCount(number) {
  const badge = byId('unread');
  known = number;
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
  const { notification } = document.activeElement.dataset;
  panel.querySelector('ul').replaceChildren(...items.map(row));
  if (notification) panel.querySelector(`[data-notification="${notification}"]`)?.focus();
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
