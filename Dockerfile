# One recipe, two images:
#   worker (the default)  a RunPod queue worker: `docker build .`, what RunPod's Hub and GitHub integration build
#   server                an HTTP server for a pod or a load-balancing endpoint: `docker build --target server .`
#
# --build-arg            default
#   MODELS               "multilingual turbo"; "nano" for RUNTIME=cpu. Weights in the image, and the models it serves.
#                        Empty: no weights in the image, for RunPod's cached models or a volume with the weights.
#   PACKS                none. Single-language packs in addition to `multilingual`.
#   CUSTOM               none. Fine-tuned models of the hub, as in CHATTERBOX_CUSTOM_MODELS.
#   PROFILES             "fast"; "exact int8" for RUNTIME=cpu. The precisions that the weights are prepared for; the image
#                        serves no others, unless it keeps the originals.
#   ORIGINALS            none. 1 keeps the original weights next to the prepared ones, for fine-tuned voices and for other
#                        precisions: 3.2 GB for multilingual, 3.0 GB for turbo.
#   RUNTIME              cuda, or cpu for an image without the libraries that only a GPU uses
#   BASE_IMAGE           below; any Debian or Ubuntu with Python 3.11 or 3.12. For RUNTIME=cpu ubuntu:24.04 is enough.
#   HF_ENDPOINT          the Hugging Face hub, or a mirror of it
#   VERSION, REVISION    for the labels
# --secret id=hf_token   a hub token, for repositories that need one; it stays out of the image.
#
# Layers are ordered by how rarely they change: system, dependencies, weights, code. With multilingual and turbo an image
# has at most 10 GB, 6.5 GB without its weights; the build prints what each part takes.

ARG RUNTIME=cuda
# The same CUDA as the pinned torch (2.11.0+cu130). `base` has what the driver needs, the wheels all CUDA libraries.
ARG BASE_IMAGE=nvidia/cuda:13.0.2-base-ubuntu24.04


FROM ${BASE_IMAGE} AS deps
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
ARG RUNTIME
COPY locks/worker.txt tools/image/uv.txt /tmp/locks/
# A worker that has to compile its imports starts many seconds later; with unchecked-hash the compiled files stay valid
# when an unpacker changes the time stamps. The CPU image leaves out packages that torch can be imported without, both
# leave out 0.5 GB that nothing loads here: several GPUs for one matrix, profilers, a second NVRTC, compiling for torch.
RUN python3 -m venv /tmp/uv \
    && /tmp/uv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement /tmp/locks/uv.txt \
    && awk -v runtime="${RUNTIME}" '/^[a-z]/ { unwanted = runtime == "cpu" && \
           /^(triton|cuda-bindings|cuda-pathfinder|cuda-toolkit|nvidia-cusolver|nvidia-cuda-nvrtc|nvidia-nvtx)==/ } \
           !unwanted' /tmp/locks/worker.txt > /tmp/locks/wanted.txt \
    && /tmp/uv/bin/uv venv --no-cache --python /usr/bin/python3 /opt/venv \
    && UV_HTTP_TIMEOUT=300 PYC_INVALIDATION_MODE=UNCHECKED_HASH \
       /tmp/uv/bin/uv pip install --no-cache --python /opt/venv/bin/python --no-deps --require-hashes \
           --only-binary :all: --compile-bytecode --requirement /tmp/locks/wanted.txt \
    && if [ "${RUNTIME}" = cpu ]; then \
           find /opt/venv -path '*/nvidia/cudnn/lib/*' -type f ! -name libcudnn.so.9 -delete; fi \
    && (cd /opt/venv/lib/python3*/site-packages && rm -rf \
           nvidia/cu13/lib/libcusolverMg.* nvidia/cu13/lib/libnvperf_* nvidia/cu13/lib/libnvrtc*.alt.* \
           torch/bin/protoc* torch/bin/ptxas torch/include triton/_C/libproton.so triton/backends/nvidia/lib/cupti \
           triton/instrumentation) \
    && /opt/venv/bin/python -c 'import av, soundfile, soxr, tokenizers, torch, torchaudio' \
    && rm -rf /tmp/uv /tmp/locks \
    && du -sh /opt/venv
ENV PATH=/opt/venv/bin:$PATH


# The models to serve: each runtime has its own default.
FROM deps AS choice-cuda
ARG MODELS="multilingual turbo"
ARG PACKS=""
ARG CUSTOM=""
ARG PROFILES="fast"
ENV CHATTERBOX_MODELS="${MODELS}" CHATTERBOX_PACKS="${PACKS}" CHATTERBOX_CUSTOM_MODELS="${CUSTOM}" \
    PREPARED_PROFILES="${PROFILES}"

FROM deps AS choice-cpu
ARG MODELS="nano"
ARG PACKS=""
ARG CUSTOM=""
ARG PROFILES="exact int8"
ENV CHATTERBOX_MODELS="${MODELS}" CHATTERBOX_PACKS="${PACKS}" CHATTERBOX_CUSTOM_MODELS="${CUSTOM}" \
    PREPARED_PROFILES="${PROFILES}" CHATTERBOX_DEVICE=cpu


# Only the modules needed to find weights, so that no other change downloads them again.
FROM choice-${RUNTIME} AS bake
WORKDIR /bake
COPY src/chatterbox_worker/__init__.py src/chatterbox_worker/catalogue.py \
     src/chatterbox_worker/custom_models.py src/chatterbox_worker/errors.py \
     chatterbox_worker/
COPY src/chatterbox_worker/engines/__init__.py chatterbox_worker/engines/
COPY src/chatterbox_worker/engines/chatterbox/__init__.py chatterbox_worker/engines/chatterbox/
COPY src/chatterbox_worker/engines/chatterbox/checkpoint/__init__.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/contents.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/custom.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/layout.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/pickled.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/weight_files.py \
     src/chatterbox_worker/engines/chatterbox/checkpoint/locate.py \
     chatterbox_worker/engines/chatterbox/checkpoint/
COPY tools/image/bake.py ./
ARG HF_ENDPOINT=https://huggingface.co
RUN --mount=type=secret,id=hf_token \
    HF_ENDPOINT="${HF_ENDPOINT}" HF_TOKEN_PATH=/run/secrets/hf_token HF_HUB_DISABLE_TELEMETRY=1 \
    PKUSEG_HOME=/weights/pkuseg \
    python3 bake.py /weights --models "${CHATTERBOX_MODELS}" --packs "${CHATTERBOX_PACKS}" \
        --custom "${CHATTERBOX_CUSTOM_MODELS}"


# The weights as the modules need them: cast, fused and folded (engines/chatterbox/pack.py). A container then reads half of
# the bytes and computes nothing. It needs no GPU, and only the code that decides what is prepared, so that no other change
# prepares the weights again. The original files that this replaces are left out.
FROM bake AS prepare
COPY src/chatterbox_worker/command.py src/chatterbox_worker/files.py src/chatterbox_worker/mounts.py \
     src/chatterbox_worker/ranges.py chatterbox_worker/
COPY src/chatterbox_worker/config/ chatterbox_worker/config/
COPY src/chatterbox_worker/engines/chatterbox/pack.py chatterbox_worker/engines/chatterbox/
COPY src/chatterbox_worker/engines/chatterbox/checkpoint/ chatterbox_worker/engines/chatterbox/checkpoint/
COPY src/chatterbox_worker/engines/chatterbox/device/ chatterbox_worker/engines/chatterbox/device/
COPY src/chatterbox_worker/engines/chatterbox/kernels/ chatterbox_worker/engines/chatterbox/kernels/
COPY src/chatterbox_worker/engines/chatterbox/s3gen/ chatterbox_worker/engines/chatterbox/s3gen/
COPY src/chatterbox_worker/engines/chatterbox/t3/ chatterbox_worker/engines/chatterbox/t3/
ARG RUNTIME
ARG ORIGINALS=""
RUN custom="$(echo "${CHATTERBOX_CUSTOM_MODELS}" | tr , '\n' | sed -n 's/=.*//p' | xargs)" \
    && models="$(echo "${CHATTERBOX_MODELS} ${CHATTERBOX_PACKS} ${custom}" | tr , ' ' | xargs -n 1 | sort -u | xargs)" \
    && if [ -n "${models}" ]; then \
           CHATTERBOX_WEIGHTS_DIR=/weights HF_HUB_OFFLINE=1 python3 -m chatterbox_worker.engines.chatterbox.pack \
               ${models} --profile ${PREPARED_PROFILES} --device "${RUNTIME}" \
               $(if [ -z "${ORIGINALS}" ]; then echo --replace; fi); fi \
    && du -sh /weights


FROM choice-${RUNTIME} AS weights
COPY --from=prepare /weights /weights


# Constants are set here because RunPod's deployers drop or empty the static variables of a hub.json.
# PKUSEG_HOME: the Chinese word model that the bake step stores next to the weights. NUMBA_CACHE_DIR: librosa's compiled
# functions; their default folder is that of its modules, where a user other than root cannot write. Prepared weights are
# written by this build only: what a container writes is gone with it.
FROM weights AS code
ENV CHATTERBOX_WEIGHTS_DIR=/weights \
    CHATTERBOX_PREPARED_WEIGHTS=off \
    HF_HUB_DISABLE_TELEMETRY=1 \
    HF_HUB_OFFLINE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    PKUSEG_HOME=/weights/pkuseg \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    RUNPOD_LOG_LEVEL=INFO
WORKDIR /app
COPY src/ handler.py LICENSE ./
RUN python3 -m compileall -q -f --invalidation-mode unchecked-hash /app
# The CUDA images' entry point prints a banner and checks for a GPU first.
ENTRYPOINT []


# For any pod: no root, and a health check. A named volume at /runpod-volume inherits the user.
FROM code AS server
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin chatterbox \
    && install --directory --owner chatterbox --group chatterbox /runpod-volume
USER chatterbox
EXPOSE 8004
# RunPod marks a worker as unhealthy after seven minutes of start-up.
HEALTHCHECK --start-period=420s --interval=15s --timeout=5s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + (os.environ.get('PORT') or '8004') + '/health', timeout=4)"]
CMD ["python3", "-u", "-m", "chatterbox_worker.server"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="chatterbox-server" \
      org.opencontainers.image.description="Chatterbox speech over HTTP: the OpenAI API, WebSocket and a web page" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


# Root, apt and a free port 80: the Hub's tests install their harness in this image. The command contains nothing that
# needs quoting, because the harness joins it with spaces.
FROM code AS worker
CMD ["python3", "-u", "/app/handler.py"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="chatterbox-worker" \
      org.opencontainers.image.description="Chatterbox speech as a RunPod serverless worker" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
