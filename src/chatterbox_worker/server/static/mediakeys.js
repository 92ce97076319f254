// The keyboard's and headphones' media keys, and what the system shows of the speech that is playing.

const session = navigator.mediaSession;

export function onMediaKeys(player) {
  const actions = {
    play: () => player.play(),
    pause: () => player.pause(),
    seekbackward: ({ seekOffset }) => player.skip(-(seekOffset ?? 10)),
    seekforward: ({ seekOffset }) => player.skip(seekOffset ?? 10),
    seekto: ({ seekTime }) => player.seek(seekTime),
  };
  for (const [action, handler] of Object.entries(actions)) session?.setActionHandler(action, handler);
}

export function showState(isPlaying) {
  const state = isPlaying ? "playing" : "paused";
  if (session && session.playbackState !== state) session.playbackState = state;
}

export function showTitle(title, artist) {
  if (session) session.metadata = new MediaMetadata({ title, artist });
}
