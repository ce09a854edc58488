// A queue's state after one change, exactly as a fresh answer of `/queue/status` would be.

const GROUPS = ['waiting', 'called', 'serving', 'held'];
const codeOf = (entry) => (typeof entry === 'string' ? entry : entry.code);

/**
 * `state` is that answer: codes in waiting and held, `{code, desk}` in called and serving. `update` is `{type, code, number, desk, from, to, ahead, at}`. Into waiting a code comes behind `ahead` others,
 * into every other group at the end. The state given is not changed.
 */
export function foldQueue(state, update) {
  const { code, number, desk, from, to, ahead } = update;
  const next = { ...state, counts: { ...state.counts } };
  for (const group of GROUPS) next[group] = state[group].filter((entry) => codeOf(entry) !== code);
  if (to === 'waiting') next.waiting.splice(ahead ?? next.waiting.length, 0, code);
  else if (GROUPS.includes(to)) next[to].push(to === 'held' ? code : { code, desk });
  if (from) next.counts[from] -= 1;
  if (to) next.counts[to] += 1;
  next.last_number = Math.max(state.last_number ?? 0, number);
  return next;
}

/** The same for a whole facility: `state` is `{items: [the state of each clinic]}`. */
export const foldFacility = (state, update) => ({
  ...state,
  items: state.items.map((one) => (one.clinic === update.clinic ? foldQueue(one, update) : one)),
});
