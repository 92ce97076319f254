"""Find a model's weights: a local folder, RunPod's cached models, the hub's cache, the hub, in that order.

Handles files, not tensors: nothing here imports torch, so a tool can check in milliseconds whether weights are
available. Every file is checked before it is used (a safetensors header against the file's length, a .pt's directory),
so a truncated download is reported at start-up rather than in the middle of a request.

The reported revision is the one that was found, not the one that was requested: the commit of a hub snapshot, or for a
plain folder a digest of its files' sizes, headers and samples of their content. It is safe to use in cache keys and
file names.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout, Remote
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import (
    check_file,
    read_metadata,
    remainder_name,
    sample_digest,
)
from chatterbox_worker.errors import NotReady, choices

RUNPOD_CACHE = Path("/runpod-volume/huggingface-cache/hub")
"""Where RunPod mounts the models of an endpoint's "Model" setting, in the hub cache's own layout."""

_REVISION_CHARS = 12  # of a commit or digest: enough to be unique, short enough for file names

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where one model's files are."""

    layout: Layout
    folder: Path
    """The folder of T3's file; a pack's files from the base model may be elsewhere."""
    files: Mapping[str, Path]
    revision: str
    """Identifies the files that were found; safe in a file name."""
    is_prepared: bool = False
    """T3's and S3Gen's original files were left out; packs and the `remainder` have their weights."""
    s3gen_from: Checkpoint | None = None
    """The checkpoint whose S3Gen is used in the place of its own."""

    def path(self, name: str) -> Path:
        """The file called `name`.

        Raises:
            NotReady: the checkpoint lacks it; optional files may be missing.
        """
        if name in self.files:
            return self.files[name]
        if self.is_prepared and name in self.layout.replaced:
            raise NotReady(
                f"this needs {name}, and {self.folder} has {self.layout.name} only as it was prepared when the image "
                "was built; build the image with ORIGINALS=1 (./build.sh --originals)"
            )
        raise NotReady(f"the {self.layout.name} checkpoint in {self.folder} has no {name}")

    @property
    def s3gen_source(self) -> Checkpoint:
        """The checkpoint that has its S3Gen."""
        return self.s3gen_from or self

    @property
    def sound_revision(self) -> str:
        """Identifies the weights that make sound: its own, and those of another checkpoint's S3Gen."""
        if (source := self.s3gen_from) is None:
            return self.revision
        return f"{self.revision}+{source.layout.name}-{source.revision}"

    @property
    def remainder(self) -> Path:
        """The file that stands in for T3's and S3Gen's where packs replace them (`remainder`)."""
        return self.folder / remainder_name(self.layout.name)

    @property
    def t3_digest(self) -> str:
        """SHA-256 (hex) of samples of T3's file: identifies its weights in any folder. Computed again at each call."""
        return sample_digest({self.layout.t3: self.path(self.layout.t3)})


@dataclass(frozen=True, slots=True)
class _SearchedFolder:
    """A folder that was searched, and the files that it lacked."""

    folder: Path
    missing: tuple[str, ...]

    def __str__(self) -> str:
        if not self.folder.is_dir():
            return f"{self.folder} (no such folder)"
        return f"{self.folder} (without {', '.join(self.missing)})"


@dataclass(frozen=True, slots=True)
class Part:
    """The files that come from one repository."""

    remote: Remote
    required: tuple[str, ...]
    optional: tuple[str, ...]
    plain: tuple[Path, ...]
    """Plain folders to search."""
    replaced: tuple[str, ...] = ()
    """Files that a plain folder may lack if it has the one called `remainder`."""
    remainder: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return self.required + self.optional

    def narrow(self, only: Container[str] | None) -> Part:
        """The same part with these files only."""
        if only is None:
            return self
        required, optional = (tuple(n for n in names if n in only) for names in (self.required, self.optional))
        return replace(self, required=required, optional=optional)

    @property
    def wanted(self) -> Part:
        """The same part; if all of its files are optional, they are searched for as if they were not."""
        return self if self.required else replace(self, required=self.optional, optional=())

    def missing(self, folder: Path) -> tuple[str, ...]:
        return tuple(name for name in self.required if not (folder / name).is_file())

    def missing_from_plain(self, folder: Path) -> tuple[str, ...]:
        """The same for a plain folder, whose packs may replace files."""
        has_remainder = bool(self.remainder) and (folder / self.remainder).is_file()
        return tuple(name for name in self.missing(folder) if not (has_remainder and name in self.replaced))


@dataclass(frozen=True, slots=True)
class LocatedFiles:
    folder: Path
    files: Mapping[str, Path]
    revision: str


def find(
    layout: Layout,
    *,
    weights_dir: Path | None = None,
    runpod_cache: Path = RUNPOD_CACHE,
    hub_cache: Path | None = None,
    offline: bool = False,
    only: Container[str] | None = None,
) -> Checkpoint:
    """The model's files, downloaded if necessary.

    `weights_dir` may have the files themselves, or a folder named like the model or its repository. `hub_cache` is the
    hub library's own unless given; the library itself reads HF_HUB_OFFLINE and HF_TOKEN and shows a progress bar.
    `only` limits the search to these file names.

    Raises:
        NotReady: the files are missing (the message lists the folders and what each lacked), a download failed, or a
            file is truncated or corrupt.
    """
    found = []
    for part in (each.narrow(only) for each in _parts(layout, weights_dir)):
        try:
            if part.names:
                found.append(find_part(layout.name, part.wanted, runpod_cache, hub_cache, offline=offline))
        except NotReady as error:
            if part.required:
                raise
            _log.info("%s starts without %s: %s", layout.name, choices(part.optional), error.message)
    files = {name: path for each in reversed(found) for name, path in each.files.items()}
    for path in files.values():
        check_file(path)
    revision = "+".join(dict.fromkeys(each.revision for each in found))
    return _with_remainder(Checkpoint(layout, found[0].folder, MappingProxyType(files), revision))


def _with_remainder(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint; without its original files it has the revision that they had.

    Raises:
        NotReady: T3's file was put back alone, and what is prepared is that of another one.
    """
    if set(checkpoint.layout.replaced) <= checkpoint.files.keys() or not checkpoint.remainder.is_file():
        return checkpoint
    t3, folder = checkpoint.layout.t3, checkpoint.folder
    lacking = [name for name in checkpoint.layout.replaced if not (folder / name).is_file()]
    if lacking and t3 not in lacking:  # a preparation that is stopped has deleted T3's file first
        raise NotReady(
            f"{folder} has {t3}, and weights that were prepared without it: add {choices(lacking)}, or delete {t3}"
        )
    check_file(checkpoint.remainder)
    return replace(checkpoint, revision=read_metadata(checkpoint.remainder)["revision"], is_prepared=True)


def _parts(layout: Layout, weights_dir: Path | None) -> list[Part]:
    """The layout's files by repository, and the folders that may have them."""

    def folders(*names: str) -> tuple[Path, ...]:
        return () if weights_dir is None else (*(weights_dir / name for name in names), weights_dir)

    own_name = _repo_name(layout.remote)
    own_folders, remainder = folders(layout.name, own_name), remainder_name(layout.name)
    if layout.base is None:
        return [Part(layout.remote, layout.required, layout.optional, own_folders, layout.replaced, remainder)]
    from_base = set(layout.from_base)
    own_required, base_required = (
        tuple(n for n in layout.required if (n in from_base) is is_from_base) for is_from_base in (False, True)
    )
    own_optional, base_optional = (
        tuple(n for n in layout.optional if (n in from_base) is is_from_base) for is_from_base in (False, True)
    )
    base_folders = folders(layout.name, own_name, "multilingual", "multilingual-v2", "english", _repo_name(layout.base))
    return [
        Part(layout.remote, own_required, own_optional, own_folders, layout.replaced, remainder),
        Part(layout.base, base_required, base_optional, base_folders),
    ]


def _repo_name(remote: Remote) -> str:
    return remote.repo.rpartition("/")[2]


def find_part(
    model: str,
    part: Part,
    runpod_cache: Path = RUNPOD_CACHE,
    hub_cache: Path | None = None,
    *,
    offline: bool,
) -> LocatedFiles:
    """The files of one repository, all from one folder; for the order of folders see `find`. Raises NotReady."""
    searched: list[_SearchedFolder] = []
    for folder in part.plain:
        if not (missing := part.missing_from_plain(folder)):
            files = _existing_files(folder, part.names)
            return LocatedFiles(folder, files, f"local-{sample_digest(files)[:_REVISION_CHARS]}")
        searched.append(_SearchedFolder(folder, missing))
    hub_cache = hub_cache or library_cache()
    for cache in (runpod_cache, hub_cache):
        for snapshot in snapshots(cache, part.remote):
            exact = part.remote.revision in (snapshot.name, "main")
            if cache == hub_cache and not exact and not offline:
                continue  # the hub can still provide the pinned one
            if not (missing := part.missing(snapshot)):
                if not exact:
                    _log.warning(
                        "%s: using the cached revision %s, not %s",
                        part.remote.repo,
                        snapshot.name,
                        part.remote.revision,
                    )
                return LocatedFiles(snapshot, _existing_files(snapshot, part.names), snapshot.name[:_REVISION_CHARS])
            searched.append(_SearchedFolder(snapshot, missing))
        searched.append(_SearchedFolder(_repo_folder(cache, part.remote), part.required))
    if offline:
        raise _not_found(model, part, searched, "downloads are switched off")
    return _download(model, part, hub_cache, searched)


def _existing_files(folder: Path, names: Iterable[str]) -> Mapping[str, Path]:
    return {name: folder / name for name in names if (folder / name).is_file()}


def library_cache() -> Path:
    from huggingface_hub import constants  # noqa: PLC0415 - not needed when the files are in a folder

    return Path(constants.HF_HUB_CACHE)


def _repo_folder(cache: Path, remote: Remote) -> Path:
    return cache / f"models--{remote.repo.replace('/', '--')}"


def snapshots(cache: Path, remote: Remote) -> list[Path]:
    """Snapshots of the repository in a hub cache: the pinned one, then those that the refs name."""
    folder = _repo_folder(cache, remote)
    commits = [remote.revision, *(read_ref(folder, name) for name in (remote.revision, "main"))]
    found = [folder / "snapshots" / commit for commit in dict.fromkeys(commits) if commit]
    return [snapshot for snapshot in found if snapshot.is_dir()]


def read_ref(folder: Path, name: str) -> str:
    """The commit that a ref names in a repository's folder of a hub cache; "" if it names none, or is half written."""
    try:
        return (folder / "refs" / name).read_text().strip()
    except (OSError, ValueError):
        return ""


def _download(model: str, part: Part, hub_cache: Path, searched: list[_SearchedFolder]) -> LocatedFiles:
    import httpx  # noqa: PLC0415 - the hub library's transport, whose errors it does not wrap
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    revision = part.remote.revision[:_REVISION_CHARS]
    _log.info("downloading %s@%s: %s", part.remote.repo, revision, ", ".join(part.names))
    try:
        folder = Path(
            snapshot_download(
                part.remote.repo,
                revision=part.remote.revision,
                cache_dir=hub_cache,
                allow_patterns=list(part.names),
            )
        )
    # OSError: no network, a full disk, HF_HUB_OFFLINE (LocalEntryNotFoundError)
    # ValueError: nothing cached while offline
    except (OSError, httpx.HTTPError, HfHubHTTPError, HFValidationError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise _not_found(model, part, searched, f"the download failed: {reason}") from error
    if missing := part.missing(folder):
        raise _not_found(model, part, [*searched, _SearchedFolder(folder, missing)], "the hub's repository lacks them")
    return LocatedFiles(folder, _existing_files(folder, part.names), folder.name[:_REVISION_CHARS])


def _not_found(model: str, part: Part, searched: list[_SearchedFolder], reason: str) -> NotReady:
    folders = "; ".join(dict.fromkeys(str(folder) for folder in searched)) or "nowhere"
    return NotReady(
        f"no weights for {model}: {', '.join(part.required)} of {part.remote.repo} "
        f"were not found in: {folders}; {reason}"
    )
