// The day's visits, the newest first.
import { ask, byId, make, texts } from './page.js';
import { Rows, badge, didWords, name, paced, row } from './reception_rows.js';
import { clinicName, facts } from './reception_words.js';
import { fill } from './words.js';

const ENDED = ['completed', 'cancelled', 'no_show'];
const VERBS = { waiting: ['slip', 'no_show', 'cancel'], in_progress: ['slip', 'cancel'] };
const PAGES = 40;

/** `slipOf(visit)` shows a ticket once more. Answers `refresh(everything)`. */
export function startVisits({ slipOf, said, failed }) {
  const status = byId('visits-status');
  let pages = [];
  const rows = new Rows(byId('visits'), {
    idOf: (one) => one.visit,
    nameOf: (one) => one.visit_number,
    pathOf: (verb, one) => (verb === 'slip' ? null : `/api/v1/visits/${one.visit}/${verb}`),
    rowOf: visitRow,
    none: texts.visits_none,
    done: (verb, _, one) => {
      if (verb === 'slip') {
        slipOf(one.visit);
        return;
      }
      said(didWords(verb, one.visit_number));
      refresh(true);
    },
  });
  const load = async (everything) => {
    try {
      pages = await read(status.value, everything ? [] : pages);
      rows.paint(pages.flatMap((page) => page.items).reverse());
    } catch (refusal) {
      failed(refusal);
    }
  };
  const refresh = paced(load);
  status.addEventListener('change', () => {
    pages = [];
    refresh(true);
  });
  return refresh;
}

/** Pages in the order of the visits' numbers. One whose visits have all ended is not asked for again each time. */
async function read(status, known) {
  const pages = [];
  let cursor = '';
  while (cursor !== null && pages.length < PAGES) {
    const before = known[pages.length];
    const kept = before?.cursor === cursor && before.next && before.items.every((one) => ENDED.includes(one.status));
    const page = kept ? before : { cursor, ...(await ask(`/api/v1/visits?limit=100${status && `&status=${status}`}${cursor && `&cursor=${cursor}`}`)) };
    pages.push(page);
    cursor = page.next;
  }
  return pages;
}

function visitRow(one, button) {
  const ended = ENDED.includes(one.status);
  const where = one.tickets.map((ticket) => make('span', {}, make('bdi', {}, ticket.code), ` ${clinicName(ticket.clinic)}`, ticket.desk ? ` · ${fill(texts.desk, { desk: ticket.desk })}` : ''));
  const about = [name(one.patient), badge(texts.visit_statuses[one.status], one.status === 'in_progress' ? 'good' : null), ...where, ...facts(one.patient)];
  const verbs = ended ? ['reopen'] : VERBS[one.status];
  return row(make('bdi', { title: one.visit_number }, one.visit_number.slice(-4)), about, verbs.map(button), { 'data-status': one.status });
}
