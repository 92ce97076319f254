"""Find a model's weights: a local folder, RunPod's cached models, the hub's cache, the hub, in that order.

Knows files, not tensors: nothing here imports torch, so a tool can ask in milliseconds whether weights are at hand.
Every file is checked before it is believed (a safetensors header against the file's length, a .pt's directory), so a
truncated download is named at start-up rather than met in the middle of a request.

The revision that is reported is the one that was found, not the one that was wished for: the commit of a hub
snapshot, or for a plain folder a digest of its files' sizes, headers and samples of their content. It is safe to use
in cache keys and file names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout, Remote
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file, sample_digest
from chatterbox_worker.errors import NotReady

RUNPOD_CACHE = Path("/runpod-volume/huggingface-cache/hub")
"""Where RunPod mounts the models of an endpoint's "Model" setting, in the hub cache's own layout."""

_REVISION_CHARS = 12  # of a commit or digest: enough to tell apart, short enough for file names

_log = logging.getLogger(__name__)
_NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where one model's files are."""

    layout: Layout
    folder: Path
    """Where the T3 lies; a pack's borrowed files may lie elsewhere."""
    files: Mapping[str, Path]
    revision: str
    """Names what was found; safe in a file name."""

    def path(self, name: str) -> Path:
        """The file called `name`.

        Raises:
            NotReady: the checkpoint lacks it, as it may lack optional files.
        """
        if name not in self.files:
            raise NotReady(f"the {self.layout.name} checkpoint in {self.folder} has no {name}")
        return self.files[name]

    @property
    def t3_digest(self) -> str:
        """SHA-256 (hex) that names T3's weights wherever they lie, by samples of their file; read anew each time."""
        return sample_digest({self.layout.t3: self.path(self.layout.t3)})


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder that was looked into, and what it lacked."""

    folder: Path
    missing: tuple[str, ...]

    def __str__(self) -> str:
        if not self.folder.is_dir():
            return f"{self.folder} (no such folder)"
        return f"{self.folder} (without {', '.join(self.missing)})"


@dataclass(frozen=True, slots=True)
class Part:
    """The files that one repository holds."""

    remote: Remote
    required: tuple[str, ...]
    optional: tuple[str, ...]
    plain: tuple[Path, ...]
    """Plain folders to look into."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.required + self.optional

    def narrowed(self, only: Container[str] | None) -> Part:
        """The same with no other files than these."""
        if only is None:
            return self
        required, optional = (tuple(n for n in names if n in only) for names in (self.required, self.optional))
        return replace(self, required=required, optional=optional)

    def missing(self, folder: Path) -> tuple[str, ...]:
        return tuple(name for name in self.required if not (folder / name).is_file())


@dataclass(frozen=True, slots=True)
class LocatedFiles:
    files: Mapping[str, Path]
    revision: str


def find(
    layout: Layout,
    *,
    weights_dir: Path | None = None,
    runpod_cache: Path = RUNPOD_CACHE,
    hub_cache: Path | None = None,
    offline: bool = False,
    revisions: Mapping[str, str] = _NO_OVERRIDES,
    only: Container[str] | None = None,
    on_progress: Callable[[str], object] = _log.info,
) -> Checkpoint:
    """The model's files, downloaded if that is what it takes.

    `weights_dir` may hold the files themselves, or a folder named like the model or its repository. `revisions`
    overrides the layout's pins, by repository. `hub_cache` is the hub library's own unless given; the library itself
    honours HF_HUB_OFFLINE, HF_TOKEN and shows a progress bar. `only` names the files that are wanted. `on_progress` hears a sentence before anything slow.

    Raises:
        NotReady: the files are nowhere (the message lists the places and what they lacked), a download failed, or a
            file is truncated or corrupt.
    """
    parts = [wanted for part in _parts(layout, weights_dir, revisions) if (wanted := part.narrowed(only)).required]
    found = [find_part(layout.name, part, runpod_cache, hub_cache, offline=offline, say=on_progress) for part in parts]
    files = {name: path for each in reversed(found) for name, path in each.files.items()}
    for path in files.values():
        check_file(path)
    revision = "+".join(dict.fromkeys(each.revision for each in found))
    return Checkpoint(layout, files[parts[0].required[0]].parent, MappingProxyType(files), revision)


def _parts(layout: Layout, weights_dir: Path | None, revisions: Mapping[str, str]) -> list[Part]:
    """The layout's files by repository; the folders that may hold each."""

    def pinned(remote: Remote) -> Remote:
        return Remote(remote.repo, revisions.get(remote.repo, remote.revision))

    def folders(*names: str) -> tuple[Path, ...]:
        return () if weights_dir is None else (*(weights_dir / name for name in names), weights_dir)

    own = _repo_name(layout.remote)
    home = folders(layout.name, own)
    if layout.base is None:
        return [Part(pinned(layout.remote), layout.required, layout.optional, home)]
    borrowed = set(layout.borrowed)
    mine, lent = (tuple(n for n in layout.required if (n in borrowed) is is_lent) for is_lent in (False, True))
    my_extras, lent_extras = (
        tuple(n for n in layout.optional if (n in borrowed) is is_lent) for is_lent in (False, True)
    )
    base = folders(layout.name, own, "multilingual", "multilingual-v2", _repo_name(layout.base))
    return [
        Part(pinned(layout.remote), mine, my_extras, home),
        Part(pinned(layout.base), lent, lent_extras, base),
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
    say: Callable[[str], object] = _log.info,
) -> LocatedFiles:
    """The files of one repository, all from one place; `find` says which places. Raises NotReady."""
    looked: list[_Place] = []
    for folder in part.plain:
        if not (missing := part.missing(folder)):
            files = _present(folder, part.names)
            return LocatedFiles(files, f"local-{sample_digest(files)[:_REVISION_CHARS]}")
        looked.append(_Place(folder, missing))
    hub_cache = hub_cache or _library_cache()
    for cache in (runpod_cache, hub_cache):
        for snapshot in _snapshots(cache, part.remote):
            exact = part.remote.revision in (snapshot.name, "main")
            if cache == hub_cache and not exact and not offline:
                continue  # the hub can still give the pinned one
            if not (missing := part.missing(snapshot)):
                if not exact:
                    _log.warning(
                        "%s: using the cached revision %s, not %s",
                        part.remote.repo,
                        snapshot.name,
                        part.remote.revision,
                    )
                return LocatedFiles(_present(snapshot, part.names), snapshot.name[:_REVISION_CHARS])
            looked.append(_Place(snapshot, missing))
        looked.append(_Place(_repo_folder(cache, part.remote), part.required))
    if offline:
        raise _nowhere(model, part, looked, "downloads are switched off")
    return _download(model, part, hub_cache, looked, say)


def _present(folder: Path, names: Iterable[str]) -> Mapping[str, Path]:
    return {name: folder / name for name in names if (folder / name).is_file()}


def _library_cache() -> Path:
    from huggingface_hub import constants  # noqa: PLC0415 - not needed when the files lie in a folder

    return Path(constants.HF_HUB_CACHE)


def _repo_folder(cache: Path, remote: Remote) -> Path:
    return cache / f"models--{remote.repo.replace('/', '--')}"


def _snapshots(cache: Path, remote: Remote) -> list[Path]:
    """Snapshots of the repository in a hub cache: the pinned one, then the one that the refs name."""
    home = _repo_folder(cache, remote)
    commits = [remote.revision]
    for ref in (remote.revision, "main"):
        try:
            commits.append((home / "refs" / ref).read_text().strip())
        except OSError:  # a cache without this ref
            continue
    return [home / "snapshots" / commit for commit in dict.fromkeys(commits) if (home / "snapshots" / commit).is_dir()]


def _download(
    model: str, part: Part, hub_cache: Path, looked: list[_Place], say: Callable[[str], object]
) -> LocatedFiles:
    import httpx  # noqa: PLC0415 - the hub library's transport, whose errors it lets through
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    say(f"downloading {part.remote.repo}@{part.remote.revision[:_REVISION_CHARS]}: {', '.join(part.names)}")
    try:
        folder = Path(
            snapshot_download(
                part.remote.repo,
                revision=part.remote.revision,
                cache_dir=hub_cache,
                allow_patterns=list(part.names),
            )
        )
    # OSError: no network, a full disk, HF_HUB_OFFLINE (LocalEntryNotFoundError); ValueError: nothing cached while offline
    except (OSError, httpx.HTTPError, HfHubHTTPError, HFValidationError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise _nowhere(model, part, looked, f"the download failed: {reason}") from error
    if missing := part.missing(folder):
        raise _nowhere(model, part, [*looked, _Place(folder, missing)], "the hub's repository lacks them")
    return LocatedFiles(_present(folder, part.names), folder.name[:_REVISION_CHARS])


def _nowhere(model: str, part: Part, looked: list[_Place], reason: str) -> NotReady:
    places = "; ".join(dict.fromkeys(str(place) for place in looked)) or "nowhere"
    return NotReady(
        f"no weights for {model}: {', '.join(part.required)} of {part.remote.repo} are in none of: {places}; {reason}"
    )
