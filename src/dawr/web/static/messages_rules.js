// Who is told what, by which channel: a table of switches. What it does not show stays as it is.
import { ask, byId, texts } from './page.js';
import { alter, onSubmit } from './forms.js';
import { failed, said } from './told.js';

const API = '/api/v1/notification-rules';
const form = byId('rules-form');
const boxes = [...document.querySelectorAll('#rules-form input[type=checkbox]')].filter((one) => !one.name.startsWith('quiet/'));
const keyOf = (rule) => `${rule.moment}/${rule.audience}/${rule.channel}`;
let rules = null;

export async function startRules() {
  onSubmit(form, save);
  try {
    show(await ask(API));
  } catch (refusal) {
    failed(refusal);
  }
}

function show(found) {
  rules = found;
  byId('rules-house').hidden = found.own;
  const switched = new Set(found.items.filter((one) => one.enabled).map(keyOf));
  for (const box of boxes) box.checked = switched.has(box.name);
  for (const box of form.querySelectorAll('[name^="quiet/"]')) box.checked = found.items.some((one) => one.quiet && `quiet/${one.moment}` === box.name);
  const near = found.items.find((one) => one.moment === 'near') ?? {};
  for (const name of ['ahead', 'minutes']) form.elements[name].value = near[name] ?? '';
  for (const name of ['begins', 'ends']) form.elements[name].value = found.quiet_hours[name];
}

/** A switch that is off keeps the rule that was there, switched off. */
function items() {
  const known = new Map(rules.items.map((one) => [keyOf(one), one]));
  const shown = new Set(boxes.map((box) => box.name));
  const kept = rules.items.filter((one) => !shown.has(keyOf(one)));
  const switched = boxes.filter((box) => box.checked || known.has(box.name)).map((box) => {
    const [moment, audience, channel] = box.name.split('/');
    return { ...known.get(box.name), moment, audience, channel, enabled: box.checked, ...wishesOf(moment, audience) };
  });
  return [...switched, ...kept];
}

function wishesOf(moment, audience) {
  const number = (name) => Number(form.elements[name].value) || null;
  if (moment === 'near') return { ahead: number('ahead'), minutes: number('minutes') };
  return { quiet: audience === 'patient' && Boolean(form.elements[`quiet/${moment}`]?.checked) };
}

async function save() {
  const [begins, ends] = [form.elements.begins.value, form.elements.ends.value];
  const quiet = begins && ends ? { quiet_hours: { begins, ends } } : {};
  try {
    show(await alter('PUT', API, { version: rules.version, items: items(), ...quiet }));
    said(texts.saved);
  } catch (refusal) {
    if (refusal.code !== 'changed_meanwhile') throw refusal;
    rules = { ...rules, version: refusal.problem.current.version };
    throw Object.assign(refusal, { message: texts.rules_meanwhile });
  }
}
