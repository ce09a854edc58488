// What every script of ours needs: the page's data block, its texts, and a way to ask the API.

export const data = JSON.parse(document.getElementById('data').textContent);
export const texts = data.texts;
export const byId = (id) => document.getElementById(id);

/** An answer that is not a success; `status` 0 means that no answer came. `message` is in the reader's language. */
export class Refusal extends Error {
  constructor(status, problem = {}, retryAfter = null) {
    super(problem.detail || problem.title || (status ? texts.problem : texts.offline));
    this.status = status;
    this.code = problem.code || null;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Whether asking once more, with the same key, may succeed. */
  get passing() {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** Random and unguessable; `crypto.randomUUID` is missing on plain http in a hospital's own network. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Calls `load` now and, however often it is asked to meanwhile, once more, `apart` milliseconds later at the earliest. */
export function paced(load, apart) {
  let wanted = false;
  let running = false;
  return async () => {
    wanted = true;
    if (running) return;
    running = true;
    try {
      while (wanted) {
        wanted = false;
        await load();
        await pause(apart);
      }
    } finally {
      running = false;
    }
  };
}

/** Asks for `path` below the facility's root and answers the JSON; throws a Refusal. */
export async function ask(path, { method = 'GET', body, headers = {} } = {}) {
  const request = { method, headers: { Accept: 'application/json', 'Accept-Language': data.lang, ...headers } };
  if (data.csrf) request.headers['X-CSRF-Token'] = data.csrf;
  if (body !== undefined) {
    request.headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(data.root + path, request);
  } catch {
    throw new Refusal(0);
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Refusal(response.status, answer, Number(response.headers.get('Retry-After')) || null);
}

/** A change. A lost answer is asked for again with the same key, so that nothing happens twice. */
export async function post(path, body, { key = randomName(), headers = {}, tries = 3 } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(path, { method: 'POST', body, headers: { ...headers, 'Idempotency-Key': key } });
    } catch (refusal) {
      if (!refusal.passing || attempt >= tries) throw refusal;
      await pause((refusal.retryAfter ?? 2 ** (attempt - 1)) * 1000 * (0.5 + Math.random() / 2));
    }
  }
}

/** The browser's own memory; it may be switched off, and then nothing is remembered. */
export const memory = {
  get(name) {
    try {
      return JSON.parse(localStorage.getItem(`dawr.${name}`));
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`dawr.${name}`);
      else localStorage.setItem(`dawr.${name}`, JSON.stringify(value));
    } catch { /* nothing is remembered */ }
  },
};

/** Makes an element: `make('button', {class: 'quiet', 'data-verb': 'call'}, 'Call')`. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Changes a text only where it differs, so that a screen reader is not told the same thing twice. */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
