// What ends with a session: drafts, here and in the other tabs of this browser, and what those still show.
import { data } from './page.js';
import { forgetDrafts } from './draft.js';

const RELOAD_AFTER = 1_500; // by then the session has ended
const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('dawr-session') : null;

/** For every page of the staff: nothing that somebody else wrote stays, and signing out is heard everywhere. */
export function startSession() {
  if (data.account) forgetDrafts(data.account);
  document.querySelector('[data-sign-out]').addEventListener('submit', () => {
    forgetDrafts();
    tabs?.postMessage('signed out');
  });
  tabs?.addEventListener('message', () => {
    forgetDrafts();
    setTimeout(() => location.reload(), RELOAD_AFTER);
  });
}
