#!/bin/sh
# Puts a start-up cache into the image $1: the one given in $4, which must be of the same image, or a new one, for which
# the launcher's functions in $2 run the usual commands in the folder $3.
set -eu

java=$1/lib/runtime/bin/java
cache=$1/lib/guestcore.aot
module_path=
# shellcheck source=guestcore-cli/src/main/launcher/launch.sh
. "$2"

if [ -n "${4:-}" ]; then
    cp -- "$4" "$cache"
    exit
fi
train "$3"
rm -rf -- "$3"
# Java only warns where it could not write it.
[ -s "$cache" ] || { echo "train.sh: no start-up cache came into $cache" >&2; exit 1; }
