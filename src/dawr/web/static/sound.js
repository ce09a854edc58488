// A short chime made by the browser itself. Browsers allow sound only after the reader has touched the page.

let context = null;

/** Gets ready to sound; call it from a click. Answers whether sound is possible now. */
export async function allowSound() {
  if (!('AudioContext' in globalThis)) return false;
  context ??= new AudioContext();
  await context.resume().catch(() => {});
  return context.state === 'running';
}

/** Whether a chime would be heard. */
export const soundAllowed = () => context?.state === 'running';

/** Two falling notes, like the bell of a waiting room. */
export function chime() {
  if (!soundAllowed()) return;
  note(880, 0);
  note(659.25, 0.28);
}

function note(frequency, delay) {
  const start = context.currentTime + delay;
  const volume = context.createGain();
  volume.gain.setValueAtTime(0.0001, start);
  volume.gain.exponentialRampToValueAtTime(0.5, start + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.9);
  const tone = context.createOscillator();
  tone.frequency.value = frequency;
  tone.connect(volume).connect(context.destination);
  tone.start(start);
  tone.stop(start + 1);
}
