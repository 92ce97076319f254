#!/usr/bin/env bash
# Build the image on a machine without a Docker engine, start both targets and generate speech with them.
#
# Debian's buildah builds it on a base from mmdebstrap, with synthetic weights from a fake hub. Then tools/image/prove.py
# starts the worker with the local queue and the server as its own user. Needs root, apt, about 20 GB of disk and the
# environment of `make setup`. Settings, all optional:
#   RUNTIME=cuda|cpu                which image; by default cuda, as the Hub builds it
#   MODELS="nano"                   synthetic weights to bake; the image's own default otherwise
#   SIZE=tiny|full                  of the weights; full also checks the seconds until the worker is ready, or without a
#                                   GPU until its models are loaded (40 GB of disk)
#   PROFILES="exact"                precisions to prepare them for; the image's own default otherwise
#   ORIGINALS=1                     keep the original weights. By default for cuda with tiny weights, where there is no
#                                   GPU: the weights prepared for one are built, and the worker starts from the originals.
#                                   Without a GPU and originals, an image for cuda is built and measured, not started
#   STATE=DIR                       stores the base, the weights and buildah's layers for the next run of the same kind;
#                                   otherwise everything is deleted
#   PIP_INDEX_URL, UV_INDEX_URL, DEBIAN_MIRROR, STORAGE_DRIVER, PY
set -euo pipefail
cd "$(dirname "$0")/../.."

RUNTIME="${RUNTIME:-cuda}"
MODELS="${MODELS:-$([ "$RUNTIME" = cpu ] && echo nano || echo multilingual turbo)}"
PY="${PY:-.venv/bin/python}"
SIZE="${SIZE:-tiny}"
has_device="$([ "$RUNTIME" != cpu ] && ! command -v nvidia-smi >/dev/null || echo 1)"
ORIGINALS="${ORIGINALS-$([ -n "$has_device" ] || [ "$SIZE" = full ] || echo 1)}"
export PYTHONPATH="src:."

skip() {
    printf 'skipped: %s\n' "$1"
    exit 0
}

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

[ "$(id -u)" = 0 ] || skip "this is not root, and buildah's chroot isolation needs root"
missing=()
for tool in buildah mmdebstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || skip "no ${missing[*]}, and no apt-get to install it"
    step "installing ${missing[*]}"
    { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >/dev/null \
        || skip "${missing[*]} cannot be installed"
fi

# A folder for each kind: buildah 1.28 takes an ENV from its cache although the build argument in it has changed.
work="${STATE:+$STATE/$RUNTIME-${MODELS// /+}-$SIZE}"
work="${work:-$(mktemp -d /var/tmp/chatterbox-image.XXXXXX)}"
mkdir -p "$work"
free_gb="$(($(df --output=avail -k "$work" | tail -1) / 1000 / 1000))"
needed_gb="$([ "$SIZE" = full ] && echo 40 || echo 20)"
[ "$free_gb" -ge "$needed_gb" ] ||
    { echo "$work has $free_gb GB free; $needed_gb are needed (set STATE to a folder with more)" >&2; exit 1; }
export BUILDAH="buildah --root $work/store --runroot $work/run --storage-driver ${STORAGE_DRIVER:-overlay}"
hub_pid=""

clean_up() {
    [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null || true
    if [ -z "${STATE:-}" ]; then
        $BUILDAH rm --all >/dev/null 2>&1 || true
        $BUILDAH rmi --all --force >/dev/null 2>&1 || true
        umount "$work/store/overlay" 2>/dev/null || true # buildah's own bind mount
        rm -rf "$work"
    fi
}
trap clean_up EXIT

# The image must not contain this machine's package index: pip and uv read it from files that exist only during the
# build.
settings="$work/settings"
mkdir -p "$settings"
{
    echo '[global]'
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] || echo 'cert = /etc/ssl/certs/ca-certificates.crt'
    [ -z "${PIP_INDEX_URL:-}" ] || echo "index-url = $PIP_INDEX_URL"
} > "$settings/pip.conf"
{
    echo 'system-certs = true'
    index="${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-}}}"
    [ -z "$index" ] || echo "index-url = \"$index\""
} > "$settings/uv.toml"
mounts=(-v "$settings/pip.conf:/etc/pip.conf:ro" -v "$settings/uv.toml:/etc/uv/uv.toml:ro")
[ ! -d /etc/ssl/certs ] || mounts+=(-v /etc/ssl/certs:/etc/ssl/certs:ro)

step "synthetic weights: $MODELS"
for model in $MODELS; do
    [ -d "$work/weights/$model" ] ||
        "$PY" -m tools.synthetic_checkpoint "$work/weights/$model" --model "$model" --size "$SIZE"
done
# An earlier run's port: the address is part of what buildah finds a layer with weights by.
port="$(sed 's/.*://' "$work/hub.url" 2>/dev/null || true)"
rm -f "$work/hub.url"
"$PY" -m tools.image.hub "$work/weights" --port "${port:-0}" > "$work/hub.url" &
hub_pid=$!
until [ -s "$work/hub.url" ]; do
    kill -0 "$hub_pid" 2>/dev/null || { echo "the fake hub ended" >&2; exit 1; }
    sleep 0.2
done

base=localhost/chatterbox-base:bookworm
if ! $BUILDAH inspect --type image "$base" >/dev/null 2>&1; then
    step "base image"
    # ca-certificates cannot be installed over the mount, so it is part of the base.
    mmdebstrap --quiet --variant=apt --include=ca-certificates,python3,python3-venv bookworm "$work/base.tar" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
    container="$($BUILDAH from scratch)"
    $BUILDAH add --quiet "$container" "$work/base.tar" / >/dev/null
    $BUILDAH commit --quiet --rm "$container" "$base" >/dev/null
    rm "$work/base.tar"
fi

# RUNTIME is passed although it is the default: buildah before 1.29 needs it to resolve a FROM with a variable.
for target in worker server; do
    step "building $target"
    $BUILDAH bud --isolation chroot --network host --format docker --layers --pull-never "${mounts[@]}" \
        --target "$target" --tag "localhost/chatterbox-$target" \
        --build-arg "BASE_IMAGE=$base" --build-arg "RUNTIME=$RUNTIME" --build-arg "MODELS=$MODELS" \
        --build-arg "ORIGINALS=$ORIGINALS" ${PROFILES:+--build-arg "PROFILES=$PROFILES"} \
        --build-arg "HF_ENDPOINT=$(cat "$work/hub.url")" .
done

prove=(--worker localhost/chatterbox-worker --server localhost/chatterbox-server --report "$work/report.json")
[ -z "$ORIGINALS" ] || prove+=(--originals)
[ -n "$has_device$ORIGINALS" ] || prove+=(--contents)
[ "$SIZE" = tiny ] || [ -n "$ORIGINALS" ] || prove+=(--full)
step "checking them"
"$PY" -m tools.image.prove "${prove[@]}"
step "done"
