#!/usr/bin/env bash
# Build the image for RunPod's machines (linux/amd64): ./build.sh USER [TAG] [options] [-- arguments for docker]
set -euo pipefail

usage() {
    cat <<'USAGE'
./build.sh USER [TAG] [options] [-- arguments for docker]

  USER               your name on Docker Hub, or a registry with a name: ghcr.io/you
  TAG                by default the package's version, with "-cpu" for a CPU image and "-server" for a server
  --target TARGET    worker (RunPod queue; the default) or server (HTTP)
  --models "M ..."   weights in the image: multilingual turbo nano english flash multilingual-v2; "" for none
  --packs "P ..."    single-language packs: es-mx-latam es-es pt-br pt-pt zh-cmn hi
  --custom "N=R:F"   fine-tuned models of the hub: name=owner/repo@revision:family, with commas (docs/CUSTOM.md)
  --profiles "P ..." precisions that the weights are prepared for: fast (the default), exact; with --cpu exact, int8, fast
  --originals        keep the original weights too: for fine-tuned voices, and for precisions chosen at the start
  --cpu              an image for machines without a GPU, with nano
  --base IMAGE       another base image
  --push             push the image when it is built

HF_TOKEN, if set, is passed to the downloads as a build secret and stays out of the image. HF_ENDPOINT is a mirror of
the hub.
USAGE
}

fail() {
    printf 'build.sh: %s\n' "$1" >&2
    exit 2
}

user="" tag="" base="" target=worker runtime=cuda push=""
arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) usage; exit 0 ;;
        --target | --models | --packs | --custom | --profiles | --base)
            [ $# -ge 2 ] || fail "$1 needs a value"
            case "$1" in
                --target) target="$2" ;;
                --models) arguments+=(--build-arg "MODELS=$2") ;;
                --packs) arguments+=(--build-arg "PACKS=$2") ;;
                --custom) arguments+=(--build-arg "CUSTOM=$2") ;;
                --profiles) arguments+=(--build-arg "PROFILES=$2") ;;
                --base) base="$2" ;;
            esac
            shift ;;
        --originals) arguments+=(--build-arg ORIGINALS=1) ;;
        --cpu) runtime=cpu ;;
        --push) push=1 ;;
        --) shift; break ;;
        -*) fail "unknown option $1; see ./build.sh --help" ;;
        *)
            if [ -z "$user" ]; then user="$1"
            elif [ -z "$tag" ]; then tag="$1"
            else fail "unexpected argument \"$1\" after USER and TAG; see ./build.sh --help"; fi ;;
    esac
    shift
done
[ -n "$user" ] || { usage >&2; exit 2; }
case "$target" in worker | server) ;; *) fail "--target must be worker or server, not \"$target\"" ;; esac
command -v docker >/dev/null || fail "docker is not installed; https://docs.docker.com/engine/install"

cd "$(dirname "$0")"
version="$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/chatterbox_worker/__init__.py)"
[ -n "$version" ] || fail "src/chatterbox_worker/__init__.py has no __version__"
revision="$(git rev-parse HEAD 2>/dev/null || true)"
if [ -z "$tag" ]; then
    tag="$version"
    [ "$runtime" = cuda ] || tag+="-cpu"
    [ "$target" = worker ] || tag+="-server"
fi
image="$user/chatterbox-worker:$tag"

[ "$runtime" = cuda ] || base="${base:-ubuntu:24.04}"
[ -z "$base" ] || arguments+=(--build-arg "BASE_IMAGE=$base")
[ -z "${HF_ENDPOINT:-}" ] || arguments+=(--build-arg "HF_ENDPOINT=$HF_ENDPOINT")
[ -z "${HF_TOKEN:-}" ] || arguments+=(--secret "id=hf_token,env=HF_TOKEN")
if docker buildx version >/dev/null 2>&1; then
    command=(docker buildx build)
    if [ -n "$push" ]; then arguments+=(--push); else arguments+=(--load); fi
else
    export DOCKER_BUILDKIT=1 # for the build secret
    command=(docker build)
fi

"${command[@]}" --platform linux/amd64 --target "$target" --tag "$image" --build-arg "RUNTIME=$runtime" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" ${arguments[@]+"${arguments[@]}"} "$@" .
if [ -n "$push" ] && [ "${command[1]}" = build ]; then docker push "$image"; fi

# An image that was pushed without being loaded has no size here.
if size="$(docker image inspect --format '{{.Size}}' "$image" 2>/dev/null)"; then
    printf '\n%s has %d.%02d GB unpacked\n' "$image" "$((size / 1000000000))" "$((size / 10000000 % 100))"
fi
if [ -n "$push" ]; then
    printf '\nPushed %s\n' "$image"
else
    printf '\nBuilt %s\nPush it:    docker push %s\n' "$image" "$image"
fi
if [ "$target" = worker ]; then
    printf 'Deploy it:  RunPod console > Serverless > New Endpoint > Import from Docker Registry > %s\n' "$image"
else
    gpus="--gpus all "
    [ "$runtime" = cuda ] || gpus=""
    printf 'Run it:     docker run %s-p 8004:8004 %s\n' "$gpus" "$image"
fi
