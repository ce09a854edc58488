// Forms that ask the API: a mistake is said beside its field, and what was typed stays until it was taken.
import { Refusal, ask, data, make, post, randomName, say, texts } from './page.js';

const unanswered = new Map(); // what was sent and got no answer → its key

/** What the page itself finds missing or wrong in a field. */
export class Mistake extends Error {
  constructor(field, message = texts.fill_in) {
    super(message);
    this.field = field;
  }
}

/** A change. When its answer was lost and somebody presses the button again, it is asked for with the same key: `key`, if given. */
export async function change(path, body = {}, { key: own } = {}) {
  const sent = `${path} ${JSON.stringify(body)}`;
  const key = own ?? unanswered.get(sent) ?? randomName();
  unanswered.set(sent, key);
  try {
    const answer = await withSession(() => post(path, body, { key }));
    unanswered.delete(sent);
    return answer;
  } catch (refusal) {
    if (!refusal.passing) unanswered.delete(sent);
    throw refusal;
  }
}

/** A question whose words must not stand in an address. */
export const question = (path, body = {}) => withSession(() => ask(path, { method: 'POST', body }));

/** A change that may be asked for twice: what it says then is so already. */
export const alter = (method, path, body) => withSession(() => ask(path, { method, body }));

/** Whoever was signed out may sign in in another window and go on here: then this page needs that session's token. Somebody else
 * who signs in there does not go on with what this person wrote. */
async function withSession(send) {
  try {
    return await send();
  } catch (refusal) {
    if (refusal.code !== 'csrf_failed' || !(await renewToken())) throw refusal;
    return send();
  }
}

async function renewToken() {
  const answer = await fetch(location.pathname, { headers: { Accept: 'text/html' } }).catch(() => null);
  const block = answer && new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('data');
  const fresh = block && JSON.parse(block.textContent);
  if (!fresh || fresh.account !== data.account) return false;
  data.csrf = fresh.csrf;
  return true;
}

/** Says in `element` what is in the way. */
export function explain(element, refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  const out = refusal.status === 401;
  element.replaceChildren(out ? texts.signed_out : refusal.message);
  if (out) element.append(' ', make('a', { href: location.pathname, target: '_blank', rel: 'noopener' }, texts.sign_in));
  element.hidden = false;
}

/** What is typed in a form, without what is empty. */
export const filled = (form) =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));

/**
 * Sends a form, once at a time. `send(button)` throws what is to be shown; `places` names the field that a code of the API,
 * or a member of what was sent, belongs to, where that is not a field of the same name.
 */
export function onSubmit(form, send, places = {}) {
  form.addEventListener('input', ({ target }) => unmark(form, target.name));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.getAttribute('aria-busy')) return;
    form.setAttribute('aria-busy', 'true');
    clearMistakes(form);
    try {
      await send(event.submitter);
    } catch (refusal) {
      showMistakes(form, refusal, places);
    } finally {
      form.removeAttribute('aria-busy');
    }
  });
}

export function clearMistakes(form) {
  form.querySelector('.form-mistake').hidden = true;
  for (const { name } of form.elements) unmark(form, name);
}

function showMistakes(form, refusal, places) {
  const wrong = mistaken(refusal, places).filter((name) => name in form.elements);
  if (!wrong.length) explain(form.querySelector('.form-mistake'), refusal);
  for (const name of wrong) mark(form, name, refusal.problem?.errors ? texts.check_field : refusal.message);
  const first = form.elements[wrong[0]];
  (first instanceof RadioNodeList ? first[0] : first)?.focus();
}

/** The fields that a refusal is about. */
function mistaken(refusal, places) {
  const { field, errors } = refusal.problem ?? refusal;
  const named = errors ? errors.map((one) => one.field ?? one.in.split('.')[1]) : [field ?? refusal.code];
  return [...new Set(named.map((name) => places[name] ?? name))];
}

// A field may be called `id` itself.
const mistakeOf = (form, name) => document.getElementById(`${form.getAttribute('id').split('-')[0]}-${name}-mistake`);

export function mark(form, name, message) {
  form.elements[name].setAttribute?.('aria-invalid', 'true');
  const place = mistakeOf(form, name);
  place.hidden = false;
  say(place, message);
}

function unmark(form, name) {
  const place = name && mistakeOf(form, name);
  if (!place || place.hidden) return;
  form.elements[name]?.removeAttribute?.('aria-invalid');
  place.hidden = true;
  say(place, '');
}
