"""More tokens for a multilingual tokenizer: the tag and the graphemes of a language that it does not have.

They are put after its own tokens, whose ids stay. A text without any of the new characters has the same ids as before;
one of them was `[UNK]` before, in every language.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from chatterbox_worker.engines.chatterbox.text.tokenizer import MultilingualTokenizer
from chatterbox_worker.errors import InvalidRequest, NotReady

_SPOKEN = ("L", "M", "N", "P")  # Unicode's categories of letters, marks, digits and punctuation: no emoji, no symbols
_TAG = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
"""How a tag is found in a text: as the family's tokenizer declares those that it has."""


def find_new_tokens(tokenizer: MultilingualTokenizer, language: str, texts: Iterable[str]) -> dict[str, int]:
    """The tokens that `language` needs, in the order of their ids, and how often the texts have each.

    First its tag, if the tokenizer lacks it, which every text has; then, by code point, the characters that the
    tokenizer would encode as unknown. `texts` are as the tokenizer is given them.

    Raises:
        InvalidRequest: there is nothing to add.
    """
    found: Counter[str] = Counter()
    count = 0
    for text in texts:
        found.update(tokenizer.unknown(text, language))
        count += 1
    graphemes = {each: found[each] for each in sorted(found) if unicodedata.category(each)[0] in _SPOKEN}
    tag = {} if tokenizer.speaks(language) else {f"[{language}]": count}
    if not (new := tag | graphemes):
        raise InvalidRequest(
            f"the tokenizer has [{language}] and every character of the {count} transcripts in {language}: "
            "there is nothing that --extend-tokenizer could add",
            field="extend_tokenizer",
        )
    return new


def add_tokens(path: Path, tokens: Sequence[str]) -> bytes:
    """The tokenizer file `path` with these tokens at the end of its vocabulary.

    Raises:
        NotReady: the file is not a tokenizer's.
    """
    try:
        content = json.loads(path.read_bytes())
        vocabulary, added = content["model"]["vocab"], content["added_tokens"]
        first = 1 + max([*vocabulary.values(), *(each["id"] for each in added)])
        vocabulary |= {token: first + number for number, token in enumerate(tokens)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotReady(f"the tokenizer {path} cannot be extended: {error!r}") from error
    added += [{"id": vocabulary[token], "content": token, **_TAG} for token in tokens if len(token) > 1]
    return json.dumps(content, ensure_ascii=False).encode()
