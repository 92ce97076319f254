import re

import pytest

from chatterbox_worker.catalogue import LANGUAGES, MODELS, PACKS
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout


def test_every_model_that_has_weights_has_a_layout() -> None:
    assert set(LAYOUTS) == {*MODELS, *PACKS} - {"preview", "csm"}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_layout_does_not_contradict_itself_or_the_catalogue(layout: Layout) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}|main", layout.remote.revision)
    assert layout.width % layout.heads == 0
    assert layout.width // layout.heads == 64
    assert len(set(layout.files)) == len(layout.files)
    assert set(layout.from_base) <= {*layout.files, "Cangjie5_TC.json"}
    assert (layout.base is None) == (layout.from_base == ())
    assert layout.language is None or layout.language in LANGUAGES
    assert layout.is_gpt == bool(layout.silence_tail)
    assert layout.meanflow is (layout.is_gpt or layout.blocks)
    if card := MODELS.get(layout.name):
        assert card.languages == (tuple(LANGUAGES) if layout.language is None else (layout.language,))
        assert card.reference_min_s == layout.reference_min_s
        assert ("cfg_weight" in card.sampling) is not layout.is_gpt


def test_file_names_are_the_hubs() -> None:
    assert LAYOUTS["english"].required == (
        "t3_cfg.safetensors", "s3gen.safetensors", "ve.safetensors", "tokenizer.json", "conds.pt",
    )  # fmt: skip
    assert LAYOUTS["multilingual"].t3 == "t3_mtl23ls_v3.safetensors"
    assert LAYOUTS["nano"].files == (
        "t3_nano_v1.safetensors", "s3gen_meanflow.safetensors", "ve.safetensors",
        "vocab.json", "merges.txt", "added_tokens.json", "conds.pt",
    )  # fmt: skip
    pack = LAYOUTS["es-mx-latam"]
    assert pack.remote.repo == "ResembleAI/Chatterbox-Multilingual-es-mx-latam"
    assert (pack.t3, pack.s3gen, pack.language) == ("t3_es_mx_latam.safetensors", "s3gen_v3.pt", "es")
    assert LAYOUTS["zh-cmn"].optional == ("Cangjie5_TC.json",)
