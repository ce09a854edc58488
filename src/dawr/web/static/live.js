// One live stream per address, shared by all tabs of a browser that show it.
//
// The tab that holds the lock named after the address leads: it keeps the connection and tells the others what comes.
// All tabs fold the same events into the same state, so any of them can take over where the leader stopped.
// Where tabs cannot be shared (no locks on plain http), each has its own connection.

const EVENTS = ['connected', 'queue_update', 'inbox_update', 'reset', 'heartbeat'];
const SILENCE = 40_000; // longer than two heartbeats
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const TELL_AFTER = 3_000; // a stream that is renewed after its age is no lost connection

/** How long to wait before attempt 0, 1, 2 …: doubling, capped, and spread so that not all come at once. */
export const pauseBefore = (attempt) =>
  Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt) * (0.5 + Math.random() / 2);

/** A connection that never gives up. `heard(name, data, id)` gets every event, `trying()` is told of every new attempt. */
class Connection {
  constructor(url, { lastId, heard, trying }) {
    Object.assign(this, { url, lastId, heard, trying, attempt: 0, source: null, timer: 0, closed: false });
    this.onReturn = () => this.#returned();
    this.onLeave = () => this.#retry();
    addEventListener('online', this.onReturn);
    addEventListener('offline', this.onLeave);
    document.addEventListener('visibilitychange', this.onReturn);
    this.#open();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.source?.close();
    removeEventListener('online', this.onReturn);
    removeEventListener('offline', this.onLeave);
    document.removeEventListener('visibilitychange', this.onReturn);
  }

  #open() {
    clearTimeout(this.timer);
    this.source?.close();
    const address = new URL(this.url, location.href);
    // EventSource cannot be given the header; the API takes the same value as a parameter.
    if (this.lastId) address.searchParams.set('last_event_id', this.lastId);
    this.source = new EventSource(address);
    for (const name of EVENTS) this.source.addEventListener(name, (event) => this.#received(name, event));
    this.source.onerror = () => this.#retry();
    this.#watch();
  }

  #received(name, event) {
    if (this.closed) return;
    if (name === 'connected' || name === 'reset') this.attempt = 0;
    if (event.lastEventId) this.lastId = event.lastEventId;
    this.#watch();
    this.heard(name, JSON.parse(event.data || '{}'), this.lastId);
  }

  /** Silence longer than the heartbeat means a dead connection, even if the browser has not noticed. */
  #watch() {
    this.lastHeard = Date.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#retry(), SILENCE);
  }

  #retry() {
    if (this.closed) return;
    this.source.close();
    clearTimeout(this.timer);
    this.trying();
    this.timer = setTimeout(() => this.#open(), pauseBefore(this.attempt));
    this.attempt += 1;
  }

  /** Back online or back in sight (timers of a sleeping phone stand still): do not wait for the timer. */
  #returned() {
    if (this.closed || document.visibilityState !== 'visible') return;
    const dead = this.source.readyState === EventSource.CLOSED || Date.now() - this.lastHeard > SILENCE;
    if (dead) this.#open();
  }
}

/**
 * Follows `url` until the page goes. All pages that follow the same address must fold alike: they share the state.
 * - `fold(state, update)` answers the state after a `queue_update`; it must not change the one it was given;
 * - `changed(state, update)` is called after each change, `update` null for a snapshot;
 * - `connection(up)` is called when the connection is lost or back;
 * - `news()`, where it is given, when there may be something new in the inbox that `url` asks for besides.
 */
export function live(url, handlers) {
  let tab = new Tab(url, handlers);
  addEventListener('pagehide', () => tab.stop());
  addEventListener('pageshow', (event) => {
    if (event.persisted) tab = new Tab(url, handlers);
  });
}

class Tab {
  constructor(url, { fold, changed, connection, news = () => null }) {
    Object.assign(this, { url, fold, changed, connection, news, state: null, id: null, up: true, stopped: false });
    this.lost();
    this.shared = 'BroadcastChannel' in globalThis && Boolean(navigator.locks);
    if (this.shared) this.#join();
    else this.#lead();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.loss);
    clearTimeout(this.silence);
    this.link?.close();
    this.channel?.close();
    this.release?.();
  }

  #join() {
    const name = `dawr-live:${this.url}`;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data: message }) => this.#told(message);
    this.channel.postMessage({ kind: 'hello' });
    this.#queueForLead(name, {});
    this.#watchLeader(name);
  }

  #queueForLead(name, options) {
    const lead = () =>
      new Promise((release) => {
        if (this.stopped) {
          release();
          return;
        }
        this.release = release;
        this.#lead();
      });
    navigator.locks.request(name, options, lead).catch(() => this.#deposed(name));
  }

  #lead() {
    clearTimeout(this.silence);
    this.leads = true;
    this.#tell({ kind: 'state', state: this.state, id: this.id });
    this.link = new Connection(this.url, {
      lastId: this.state === null ? null : this.id,
      heard: (event, data, id) => {
        this.#tell({ kind: 'event', event, data, id });
        this.#take(event, data, id);
      },
      trying: () => {
        this.#tell({ kind: 'trying' });
        this.lost();
      },
    });
  }

  /** Another tab took the lead because it had heard nothing from this one for too long. */
  #deposed(name) {
    if (this.stopped || !this.leads) return;
    this.leads = false;
    this.link?.close();
    this.#queueForLead(name, {});
    this.#watchLeader(name);
  }

  /** A leader that the system has put to sleep holds the lock but tells nothing; a tab in sight then takes it. */
  #watchLeader(name) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      if (this.leads || this.stopped) return;
      if (document.visibilityState === 'visible') this.#queueForLead(name, { steal: true });
      else this.#watchLeader(name);
    }, SILENCE);
    this.name = name;
  }

  #told(message) {
    if (message.kind === 'hello') {
      if (this.leads && this.state !== null) this.#tell({ kind: 'state', state: this.state, id: this.id });
      return;
    }
    if (this.leads) return;
    this.#watchLeader(this.name);
    if (message.kind === 'event') this.#take(message.event, message.data, message.id);
    else if (message.kind === 'trying') this.lost();
    else if (message.state !== null) this.#replace(message.state, message.id);
  }

  #tell(message) {
    this.channel?.postMessage(message);
  }

  #take(event, data, id) {
    this.found();
    if (['connected', 'reset', 'inbox_update'].includes(event)) this.news();
    if (event === 'inbox_update') return;
    const repeated = event === 'queue_update' && id !== null && id === this.id;
    this.id = id;
    if (event === 'reset' || (event === 'connected' && !data.resumed)) this.#replace(data, id);
    if (event !== 'queue_update' || this.state === null || repeated) return;
    this.state = this.fold(this.state, data);
    this.changed(this.state, data);
  }

  #replace(state, id) {
    this.found();
    this.state = state;
    this.id = id;
    this.changed(state, null);
  }

  lost() {
    if (this.loss) return;
    this.loss = setTimeout(() => {
      this.up = false;
      this.connection(false);
    }, TELL_AFTER);
  }

  found() {
    clearTimeout(this.loss);
    this.loss = 0;
    if (!this.up) this.connection(true);
    this.up = true;
  }
}
