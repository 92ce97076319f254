"""`python -m chatterbox_worker.train`.

Exit code 0 for a finished voice, 2 for flags or data that cannot work, 1 for any other error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from chatterbox_worker import command, command_text
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.local import with_folders
from chatterbox_worker.train import extras
from chatterbox_worker.train.options import parse


def main(arguments: Sequence[str]) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        options = parse(arguments)
        _refuse_torchrun(environment())
        reads_sets = options.dataset is not None or (options.data is not None and options.data.suffix == ".parquet")
        extras.require(extras.NEEDED + (extras.FOR_DATASETS if reads_sets else ()))
        settings = Settings.from_env(with_folders(environment()))
        from chatterbox_worker.train.run import run  # noqa: PLC0415 - torch takes seconds: after the checks

        run(options, settings, command.print_line)
    except WorkerError as error:
        return command_text.fail(error, 2 if isinstance(error, InvalidRequest) else 1)
    except OSError as error:  # a disk that filled up
        reason = f"{error.filename or 'a file'} cannot be written: {error.strerror or error}"
        return command_text.fail(f"{reason}; run the same command again to continue")
    return 0


def _refuse_torchrun(variables: Mapping[str, str]) -> None:
    """Raise InvalidRequest where several processes were started for one run: they would write the same files."""
    if (processes := variables.get("WORLD_SIZE", "1")) != "1":  # torchrun's
        raise InvalidRequest(
            f"a run is one process on one device, and this is one of {processes} (WORLD_SIZE): "
            "start the command without torchrun",
            field="run_dir",
        )


if __name__ == "__main__":
    command.run(main, "stopped; run the same command again to continue from the last save")
