// Joining a queue: asks once, and if the answer is lost asks again with the same key until there is one.
import { Refusal, ask, byId, data, memory, pause, randomName, say, texts } from './page.js';
import { fill } from './words.js';

const PENDING = `join.${data.root}/${data.clinic}`;
const FORGET_AFTER = 15 * 60_000;
const form = byId('join');
const button = form?.querySelector('button');

/** This browser's random name towards the API. */
function device() {
  const known = memory.get('device') ?? randomName();
  memory.set('device', known);
  return known;
}

function wish() {
  const fields = new FormData(form);
  const body = { clinic: data.clinic, user: device(), language: data.lang };
  for (const name of ['name', 'phone', 'doctor', 'language', 'entry_code', 'proof']) {
    const value = String(fields.get(name) ?? '').trim();
    if (value) body[name] = value;
  }
  return { key: randomName(), body, since: Date.now() };
}

/** Asks until there is an answer; only a passing trouble (no network, 503) is tried again. */
async function enter(pending) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const headers = { 'Idempotency-Key': pending.key };
      return await ask('/api/v1/queue/enter', { method: 'POST', body: pending.body, headers });
    } catch (refusal) {
      if (!refusal.passing) throw refusal;
      show(refusal.message, 'warn');
      await Promise.race([pause(wait(refusal, attempt)), online()]);
    }
  }
}

/** Never before the server said, and spread over half as long again: all who were refused together would come together. */
const wait = (refusal, attempt) =>
  Math.max((refusal.retryAfter ?? 0) * 1000, Math.min(30_000, 1000 * 2 ** attempt)) * (1 + Math.random() / 2);

/** When the phone finds its network again; never, if it had not lost it. */
function online() {
  return new Promise((done) => {
    if (!navigator.onLine) addEventListener('online', done, { once: true });
  });
}

async function join(pending) {
  memory.set(PENDING, pending);
  if (button) button.disabled = true;
  show(texts.sending, 'info');
  try {
    arrive(await enter(pending));
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    show(refusal.message, 'error');
  } finally {
    memory.set(PENDING, null);
    if (button) button.disabled = false;
  }
}

function arrive(ticket) {
  if (!ticket.follow) {
    show(fill(texts.elsewhere, { code: ticket.code }), 'warn');
    return;
  }
  const inside = data.root && !ticket.follow.startsWith(`${data.root}/`);
  location.assign(inside ? data.root + ticket.follow : ticket.follow);
}

function show(text, kind) {
  const notice = byId('notice');
  notice.className = `notice ${kind}`;
  notice.hidden = false;
  say(notice, text);
}

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!button.disabled) join(wish());
});
// What was not answered before the page was left is asked again, even if the clinic takes nobody by now.
const pending = memory.get(PENDING);
if (pending && Date.now() - pending.since < FORGET_AFTER) join(pending);
