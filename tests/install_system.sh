#!/bin/sh
# The system libraries that a Qt window needs, and a virtual screen. Installs them when it may, else says the one line to run.
packages="xvfb xauth libgl1 libgl1-mesa-dri libegl1 libopengl0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 \
libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libdbus-1-3 libfontconfig1 fonts-dejavu-core"
[ "$(uname -s)" = Linux ] || exit 0
command -v dpkg-query >/dev/null 2>&1 || { command -v Xvfb >/dev/null 2>&1 || echo "note: install Xvfb and the libraries of an X11 Qt program"; exit 0; }
missing=""
for name in $packages; do
  dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $name"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "error: system libraries are missing; run: sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
fi
