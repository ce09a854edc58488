// Keys of the desk. They can be switched off, because single letters disturb some reading aids.
import { byId, memory } from './page.js';

const STEPS = { r: 'recall', s: 'serve', d: 'done', x: 'no_show', h: 'hold' };

/** The Latin letter of a key, also on Arabic and Hindi keyboards, where the same key writes something else. */
export function letterOf(event) {
  if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase();
  return event.code.startsWith('Key') ? event.code.slice(3).toLowerCase() : '';
}

export function listenToKeys({ callNext, undo, onCurrent, consult, openInbox }) {
  const wanted = byId('keys-wanted');
  wanted.checked = memory.get('keys') ?? true;
  wanted.addEventListener('change', () => memory.set('keys', wanted.checked));
  addEventListener('keydown', (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
    if (busy || !wanted.checked || event.target.closest('input:not([type=checkbox]), select, textarea, dialog')) return;
    const letter = letterOf(event);
    if (letter === 'n') callNext();
    else if (letter === 'u') undo();
    else if (letter === 'o') consult();
    else if (letter === 'm') openInbox();
    else if (STEPS[letter]) onCurrent(STEPS[letter]);
  });
}
