// What is being written, kept against a reload or a wrong click until it is saved: in this tab alone, never on the disk of a
// computer that others use, and for nobody but who wrote it.
const PREFIX = 'dawr.draft.';
let closed = false;

/** A draft of this name by this person; where the browser keeps nothing it is always empty. */
export function draftOf(name, owner) {
  const key = PREFIX + name;
  return {
    read: () => read(key, owner),
    write: (value) => closed || quietly(() => sessionStorage.setItem(key, JSON.stringify({ owner, value }))),
    clear: () => quietly(() => sessionStorage.removeItem(key)),
  };
}

function read(key, owner) {
  const kept = quietly(() => JSON.parse(sessionStorage.getItem(key)));
  return kept?.owner === owner ? kept.value : null;
}

/** Takes away every draft but those of this person. Without one nothing is kept on this page any more. */
export function forgetDrafts(owner = null) {
  closed ||= owner === null;
  const keys = quietly(() => Object.keys(sessionStorage)) ?? [];
  for (const key of keys.filter((one) => one.startsWith(PREFIX))) {
    if (owner === null || read(key, owner) === null) quietly(() => sessionStorage.removeItem(key));
  }
}

function quietly(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
