// Messages to this browser while the page is closed: on, off, or why that cannot be.
import { Refusal, ask, data, memory, post, say, texts } from './page.js';

const possible = 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;

/** Wires the button in `box`; `path` takes browsers, `about` tells it for what. A browser has one subscription; what it is for is
 * remembered here too, under `id`. */
export async function offerPush(box, { path, about, id }, headers) {
  const [button, state] = [box.querySelector('button'), box.querySelector('p')];
  const name = `push.${id}`;

  function paint(now, words = texts.push[now]) {
    button.hidden = now === 'unsupported' || now === 'denied';
    say(button, now === 'on' ? texts.push_stop : texts.push_start);
    say(state, words);
    box.dataset.state = now;
  }

  async function start() {
    const allowed = await Notification.requestPermission();
    if (allowed !== 'granted') return paint(allowed === 'denied' ? 'denied' : 'off');
    await post(path, { ...about, ...(await subscribe(data.push)) }, { headers });
    memory.set(name, true);
    return paint('on');
  }

  async function stop() {
    const subscription = await known();
    if (subscription) await post(`${path}/stop`, { ...about, endpoint: subscription.endpoint }, { headers });
    memory.set(name, null);
    paint('off');
  }

  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await (box.dataset.state === 'on' ? stop() : start());
    } catch (failure) {
      // A browser that cannot reach its maker's service says so with an error of its own.
      paint(box.dataset.state, failure instanceof Refusal ? failure.message : texts.problem);
    } finally {
      button.disabled = false;
    }
  });
  if (!possible) paint('unsupported');
  else if (Notification.permission === 'denied') paint('denied');
  else paint(memory.get(name) && (await known()) ? 'on' : 'off');
}

async function known() {
  const worker = await navigator.serviceWorker.getRegistration(data.worker);
  return worker?.pushManager.getSubscription();
}

/** What this browser is reached by, for a test, or why it cannot be. */
export async function thisBrowser() {
  if (!possible) return { why: 'unsupported' };
  if ((await Notification.requestPermission()) !== 'granted') return { why: 'denied' };
  const { key } = await ask('/api/v1/push/key');
  return subscribe(key).then((browser) => ({ browser }), () => ({ why: 'away' }));
}

async function subscribe(key) {
  await navigator.serviceWorker.register(data.worker);
  const { pushManager } = await navigator.serviceWorker.ready;
  const { endpoint, keys } = (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).toJSON();
  return { endpoint, p256dh: keys.p256dh, auth: keys.auth };
}
