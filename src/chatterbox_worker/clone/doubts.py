"""Signs that what is kept is not one person's, each as a sentence; the voice encoder alone cannot say it surely."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatterbox_worker.clone.speakers import one_person

if TYPE_CHECKING:
    from chatterbox_worker.clone.findings import Findings


def about(findings: Findings) -> Iterator[str]:
    yield from _likeness(findings)


def _likeness(findings: Findings) -> Iterator[str]:
    if findings.diarisation is None:
        return
    groups, speaker = findings.diarisation.groups, findings.speaker
    if groups.is_doubtful(speaker):
        yield (
            f"the speech falls in two parts that are {groups.halves[speaker]:.2f} similar; one person's are at least "
            f"{one_person(groups.counts[speaker]):.2f}: it may be two people, or one in two places or moods"
        )
