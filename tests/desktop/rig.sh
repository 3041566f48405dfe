#!/usr/bin/env bash
# A throw-away desktop around a command: screen, window manager, session bus, keychain, a virtual microphone and speaker.
# Usage: rig.sh COMMAND [ARGUMENT...]      Everything it starts ends with it; nothing of the caller's is touched.
#
# The app hears the source `rig_mic`; sound is fed to it by playing into the sink `rig_feed`.
# What the app plays goes to the sink `rig_speaker`, and is recorded at `rig_speaker.monitor`.
set -euo pipefail

if [ -z "${RIG_INNER:-}" ]; then
  dir=$(mktemp -d)
  mkdir -m 700 "$dir/run" "$dir/home"
  Xvfb -displayfd 9 -screen 0 1280x1000x24 -nolisten tcp 9>"$dir/display" 2>"$dir/screen.log" &
  screen=$!
  trap 'kill $screen 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
  until [ -s "$dir/display" ]; do
    kill -0 $screen || { cat "$dir/screen.log" >&2; exit 1; }
    sleep 0.05
  done
  status=0
  # cargo and its caches stay the caller's.
  env -u WAYLAND_DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u PULSE_SERVER \
    RIG_INNER=1 RIG_DIR="$dir" DISPLAY=":$(cat "$dir/display")" XDG_RUNTIME_DIR="$dir/run" \
    CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" RIG_CALLERS_HOME="$HOME" HOME="$dir/home" \
    GDK_BACKEND=x11 LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1 GTK_A11Y=none \
    dbus-run-session -- "$0" "$@" || status=$?
  exit $status
fi

printf rig | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>"$RIG_DIR/keyring.log" || true

cat >"$RIG_DIR/sound.pa" <<'PA'
load-module module-native-protocol-unix
load-module module-null-sink sink_name=rig_speaker rate=48000 channels=2
load-module module-null-sink sink_name=rig_feed rate=48000 channels=1
load-module module-remap-source source_name=rig_mic master=rig_feed.monitor
set-default-sink rig_speaker
set-default-source rig_mic
PA
pulseaudio -n -F "$RIG_DIR/sound.pa" --daemonize=no --exit-idle-time=-1 --use-pid-file=no 2>"$RIG_DIR/sound.log" &
started=$!
export PULSE_SERVER="unix:$XDG_RUNTIME_DIR/pulse/native"
until pactl info >/dev/null 2>&1; do
  kill -0 $started || { cat "$RIG_DIR/sound.log" >&2; exit 1; }
  sleep 0.05
done
# A null sink that nobody plays to works in steps of two seconds; a silent client keeps it at 10 ms.
for sink in rig_speaker rig_feed; do
  pacat --raw --latency-msec=10 -d "$sink" </dev/zero >/dev/null 2>&1 &
  started="$started $!"
done
openbox >/dev/null 2>&1 &
started="$started $!"

# Whatever hangs shall be a failure with its output, not a run without an end.
status=0
timeout --foreground --kill-after=10 "${RIG_LIMIT:-40m}" "$@" || status=$?
[ $status -ne 124 ] || echo "rig.sh: not done within ${RIG_LIMIT:-40m}: $*" >&2
kill $started 2>/dev/null || true
exit $status
