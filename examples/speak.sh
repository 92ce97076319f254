#!/usr/bin/env bash
# Speak a text and save it as mp3, with only curl and jq: submit, poll until it is done, decode.
#   RUNPOD_ENDPOINT_ID=... RUNPOD_API_KEY=... ./speak.sh "Hello there." out.mp3
set -euo pipefail

text=${1:?a text}
out=${2:-out.mp3}
endpoint=${RUNPOD_ENDPOINT_BASE_URL:-https://api.runpod.ai/v2}/${RUNPOD_ENDPOINT_ID:?}

call() {
  curl --silent --show-error --fail-with-body --retry 3 --header "Authorization: Bearer ${RUNPOD_API_KEY:?}" "$@"
}

job=$(jq --null-input --arg text "$text" '{input: {text: $text, format: "mp3"}}' |
  call --retry 0 --header 'Content-Type: application/json' --data @- "$endpoint/run")
id=$(jq --raw-output .id <<<"$job")
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
while call "$endpoint/status/$id" >"$answer"; do
  case $(jq --raw-output .status "$answer") in
    COMPLETED) break ;;
    IN_QUEUE | IN_PROGRESS) sleep 1 ;;
    *) jq --raw-output '"\(.status): \(.error)"' "$answer" >&2; exit 1 ;;
  esac
done
if url=$(jq --raw-output --exit-status '.output.audio_url // empty' "$answer"); then
  curl --silent --show-error --fail --output "$out" "$url"   # a large answer is in a bucket; the key is not sent there
else
  jq --raw-output .output.audio_base64 "$answer" | base64 --decode >"$out"
fi
jq --raw-output --arg out "$out" '"\(.output.duration_s) s of audio, seed \(.output.seed): \($out)"' "$answer"
