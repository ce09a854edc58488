// The history of a patient who is not at the desk: from the list of a doctor's appointments.
import { Refusal, byId, data, say } from './page.js';
import { explain, question } from './forms.js';
import { startHistory } from './history.js';
import { startInbox } from './inbox.js';
import { facts, nameOf } from './reception_words.js';
import { startSession } from './session.js';

function failed(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  explain(byId('error'), refusal);
}

/** Opens the record itself: who it is. */
async function openRecord(reason) {
  const card = await question(`/api/v1/patients/${data.patient}/open`, { purpose: 'history', ...(reason && { reason }) });
  say(byId('person-name').firstChild, nameOf(card));
  byId('person-about').replaceChildren(...facts(card).filter(Boolean));
}

startSession();
startInbox({ failed, streaming: false });
startHistory(data.patient, { before: openRecord, failed }).open();
