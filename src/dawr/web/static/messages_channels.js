// The facility's ways of sending: setting them up, trying them, using them no more.
import { ask, byId, make, say, texts } from './page.js';
import { fill } from './words.js';
import { Mistake, alter, clearMistakes, filled, onSubmit, question } from './forms.js';
import { thisBrowser } from './push.js';
import { failed, said } from './told.js';

const NAMES = Object.keys(texts.channels);
const API = '/api/v1/channels';
const formOf = (name) => byId(`${name}-form`);

// What a form becomes when it is sent, where that is not a text for each field.
const SHAPES = {
  email: ({ port, ...rest }) => ({ ...rest, ...(port ? { port: Number(port) } : {}) }),
  sms: ({ headers, body, form, ...rest }) => ({
    ...rest,
    form: Boolean(form),
    ...(headers ? { headers: pairs('headers', headers, ':') } : {}),
    ...(body ? { body: pairs('body', body, '=') } : {}),
  }),
  whatsapp: (typed) => {
    const [templates, rest] = [{}, {}];
    for (const [name, value] of Object.entries(typed)) {
      if (name.startsWith('templates.')) templates[name.slice(10)] = value;
      else rest[name] = value;
    }
    return { ...rest, templates };
  },
};

export function startChannels() {
  for (const name of NAMES) {
    onSubmit(formOf(name), () => save(name));
    formOf(name).querySelector('.stop').addEventListener('click', () => stop(name).catch(failed));
    const trial = byId(`${name}test-form`);
    if (trial) onSubmit(trial, () => tryOut(name, trial));
  }
  look();
}

async function look() {
  try {
    const { items } = await ask(API);
    for (const one of items) if (NAMES.includes(one.channel)) show(one);
  } catch (refusal) {
    failed(refusal);
  }
}

function show({ channel, configured, settings }) {
  const section = byId(`channel-${channel}`);
  const badge = section.querySelector('.state');
  badge.classList.toggle('good', configured);
  say(badge, configured ? texts.in_use : texts.not_in_use);
  section.querySelector('.stop').hidden = !configured;
  const trial = byId(`${channel}test-form`);
  if (trial) trial.hidden = !configured;
  put(formOf(channel), settings ?? {});
}

/** Fills the form; of a secret it shows only that there is one. */
function put(form, settings) {
  form.reset();
  const flat = { ...settings, ...Object.fromEntries(Object.entries(settings.templates ?? {}).map(([name, value]) => [`templates.${name}`, value])) };
  for (const field of form.elements) {
    const value = flat[field.name];
    if ('secret' in field.dataset) field.placeholder = value ? texts.secret_kept : '';
    else if (field.type === 'checkbox') field.checked = Boolean(value);
    else if (field.name && value !== undefined) field.value = value;
  }
}

/** Lines such as `name: value` as an object. */
function pairs(field, text, sign) {
  const lines = text.split('\n').map((one) => one.trim()).filter(Boolean);
  if (lines.some((one) => one.indexOf(sign) < 1)) throw new Mistake(field, texts.check_field);
  return Object.fromEntries(lines.map((one) => [one.slice(0, one.indexOf(sign)).trim(), one.slice(one.indexOf(sign) + 1).trim()]));
}

async function save(name) {
  const typed = filled(formOf(name));
  show(await alter('PUT', `${API}/${name}`, SHAPES[name]?.(typed) ?? typed));
  said(texts.saved);
}

async function stop(name) {
  if (!confirm(texts.stop_sure)) return;
  await alter('DELETE', `${API}/${name}`);
  clearMistakes(formOf(name));
  show({ channel: name, configured: false, settings: null });
  said(texts.stopped);
}

async function tryOut(name, form) {
  const told = form.querySelector('.told');
  told.className = 'told';
  told.replaceChildren();
  const typed = filled(form);
  if (form.elements.phone && !typed.phone) throw new Mistake('phone');
  if (name === 'push') {
    const { browser, why } = await thisBrowser();
    if (why) return tell(told, false, [texts.push[why] ?? texts.problem]);
    typed.browser = browser;
  }
  const { sent, to, why, detail } = await question(`${API}/${name}/test`, typed);
  const words = fill(sent ? texts.test_sent : texts.test_failed, { to });
  tell(told, sent, [words, ...(why ? [` ${why}`] : []), ...(detail ? [' ', make('bdi', {}, `(${detail})`)] : [])]);
}

function tell(told, good, words) {
  told.classList.add('notice', good ? 'good' : 'error');
  told.append(...words);
}
