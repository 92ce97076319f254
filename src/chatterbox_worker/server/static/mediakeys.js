// The keyboard's and headphones' media keys, and what the system shows of the speech that is playing.

import { wavBlob } from "./wav.js";

const QUIET_S = 8; // sounds of a few seconds get no keys
const QUIET_RATE = 8_000;
const QUIET_LEVEL = 16; // of 32768, constant, so not audible; Firefox 153 gives keys from 8 on, and not at 4
const session = navigator.mediaSession;
const quiet = new Audio();
let quietIsOn = false;
let shownSecond = -1;

export function onMediaKeys(player) {
  const actions = {
    play: () => player.play(),
    pause: () => player.pause(),
    seekbackward: ({ seekOffset }) => player.skip(-(seekOffset ?? 10)),
    seekforward: ({ seekOffset }) => player.skip(seekOffset ?? 10),
    seekto: ({ seekTime }) => player.seek(seekTime),
  };
  quiet.addEventListener("pause", () => quietIsOn && quiet.paused && player.pause()); // by the system, which cannot stop the stream
  for (const [action, handler] of Object.entries(actions)) session?.setActionHandler(action, handler);
}

/** `live` is {position_s, duration_s} of a stream that plays through Web Audio; null for a file. */
export function showState(isPlaying, live) {
  if (!session) return;
  const state = isPlaying ? "playing" : "paused";
  if (session.playbackState !== state) session.playbackState = state;
  showPosition(live);
  playQuiet(isPlaying && live?.duration_s > 0);
}

/** A system reads the position of a file itself; that of a stream is set here, once a second. */
function showPosition(live) {
  const second = live?.duration_s ? Math.floor(live.position_s) : -1;
  if (second === shownSecond) return;
  shownSecond = second;
  if (second < 0) session.setPositionState?.();
  else session.setPositionState?.({ duration: live.duration_s, position: Math.min(live.position_s, live.duration_s) });
}

/** Firefox gives the keys to a page that plays a file, and not to Web Audio alone: an inaudible file plays along with the stream. */
function playQuiet(isOn) {
  if (isOn === quietIsOn) return;
  quietIsOn = isOn;
  if (!quiet.src) quiet.src = URL.createObjectURL(wavBlob([new Int16Array(QUIET_S * QUIET_RATE).fill(QUIET_LEVEL)], QUIET_RATE));
  quiet.loop = true;
  if (isOn) quiet.play().catch(() => {}); // not allowed: there are no keys then
  else quiet.pause();
}

export function showTitle(title, artist) {
  if (session) session.metadata = new MediaMetadata({ title, artist });
}
