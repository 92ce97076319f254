"""A checkpoint whose tokenizer has the tokens of one more language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker import files
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.text.tokenizer import MultilingualTokenizer, load_tokenizer
from chatterbox_worker.engines.chatterbox.text.vocabulary import add_tokens, find_new_tokens
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.transcripts import read_transcript


@dataclass(frozen=True, slots=True)
class NewLanguage:
    code: str
    """ISO 639-1."""
    transcripts: Iterable[str]
    folder: Path
    """Where the extended tokenizer is written, under the name that it has in the checkpoint."""
    report: Callable[[Mapping[str, int]], object]
    """Is given the new tokens, and in how many transcripts each occurs."""
    in_words: bool = True
    """Whether numbers and the like in transcripts are read as words."""

    def extend(self, checkpoint: Checkpoint) -> Checkpoint:
        """The same weights with an extended tokenizer; T3 lacks the new tokens' rows (`scope.add_rows`).

        Raises:
            InvalidRequest: the model's texts do not begin with a language's token, or there is nothing to add.
            NotReady: the tokenizer is broken.
            OSError: it cannot be written.
        """
        tokenizer, (name, *_) = load_tokenizer(checkpoint), checkpoint.layout.tokenizer
        if not isinstance(tokenizer, MultilingualTokenizer):
            raise InvalidRequest(f"{checkpoint.layout.name} has no tokens for languages", field="model")
        new = find_new_tokens(tokenizer, self.code, self._texts(checkpoint.layout.name))
        self.report(new)
        files.write_whole(self.folder / name, add_tokens(checkpoint.path(name), list(new)), sole_writer=True)
        layout = replace(checkpoint.layout, text_vocab=checkpoint.layout.text_vocab + len(new))
        return replace(
            checkpoint,
            layout=layout,
            files=MappingProxyType({**checkpoint.files, name: self.folder / name}),
        )

    def _texts(self, model: str) -> Iterator[str]:
        """The transcripts as the tokenizer is given them, without those that cannot be spoken."""
        for transcript in self.transcripts:
            with suppress(InvalidRequest):
                yield read_transcript(transcript, self.code, MODELS[model], in_words=self.in_words)
