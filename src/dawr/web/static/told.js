// What a page says of what was done, and of what was in the way.
import { Refusal, byId, say } from './page.js';
import { explain } from './forms.js';

const SAID_FOR = 10_000;
let saidTimer = 0;

/** Says what was done; `undo()` takes it back, where that can be. */
export function said(text, undo = null) {
  clearTimeout(saidTimer);
  byId('error').hidden = true;
  say(byId('said').firstElementChild, text);
  byId('said-undo').hidden = !undo;
  byId('said-undo').onclick = () => {
    byId('said').hidden = true;
    undo().catch(failed);
  };
  byId('said').hidden = false;
  saidTimer = setTimeout(() => {
    byId('said').hidden = true;
  }, SAID_FOR);
}

/** What was in the way of something that has no field of its own. */
export function failed(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  explain(byId('error'), refusal);
}
