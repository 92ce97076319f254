"""Custom models: what their places have is recognised by content; what cannot be served is refused by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from chatterbox_worker.config import Settings
from chatterbox_worker.custom_models import parse_custom_models
from chatterbox_worker.engines.chatterbox.checkpoint import contents, custom, locate
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state, load_voice_encoder_state
from chatterbox_worker.engines.chatterbox.checkpoint.contents import examine
from chatterbox_worker.engines.chatterbox.checkpoint.custom import write_manifest
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.pickled import leaves
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, decoded, is_chatterbox
from chatterbox_worker.engines.chatterbox.pack import replace_originals
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint
from support.community import EXTRA_TOKENS, Find, bases, entry
from support.hub_files import write_files


def test_one_t3_in_a_wrapper_is_read_like_the_familys_own(find: Find, tmp_path: Path) -> None:
    found = find(entry(tmp_path, "single"))
    base = checkpoint("english")
    assert found.path(found.layout.t3) == tmp_path / "single/model.safetensors"
    assert {name for name, path in found.files.items() if path.resolve().parent.samefile(base)} == {
        "s3gen.safetensors", "ve.safetensors", "tokenizer.json", "conds.pt",
    }  # fmt: skip
    ours, published = load_t3_state(found), load_file(base / "t3_cfg.safetensors")
    assert ours.keys() == published.keys()
    assert all(torch.equal(ours[name], value) for name, value in published.items())


def test_a_model_is_found_by_its_name_and_decoded_as_the_setting_says(tmp_path: Path) -> None:
    settings = Settings(
        weights_dir=bases(tmp_path / "bases"), custom_models=parse_custom_models(entry(tmp_path, "single")),
        decoder="turbo",
    )  # fmt: skip
    assert [is_chatterbox(name, settings) for name in ("single", "english", "csm")] == [True, True, False]
    custom_, english, turbo = (checkpoint_of(name, settings, offline=True) for name in ("single", "english", "turbo"))
    assert [each.layout.name for each in (custom_, english, turbo)] == ["single", "english", "turbo"]
    with_turbo = decoded(english, settings, offline=True)
    assert with_turbo.s3gen_from == turbo
    assert with_turbo.sound_revision == f"{english.revision}+turbo-{turbo.revision}"
    assert decoded(turbo, settings, offline=True) is turbo
    assert decoded(english, replace(settings, decoder="own"), offline=True) is english
    with pytest.raises(NotReady, match="CHATTERBOX_DECODER is turbo, but no weights for turbo"):
        decoded(english, replace(settings, weights_dir=tmp_path / "none"), offline=True)


def test_of_a_folder_only_what_is_missing_comes_from_the_base(find: Find, tmp_path: Path) -> None:
    found = find(entry(tmp_path, "whole"))
    assert [name for name, path in found.files.items() if path.parent != tmp_path / "whole"] == ["ve.safetensors"]
    assert found.layout.language == "de"


def test_a_larger_vocabulary_is_that_of_its_tokenizer(find: Find, tmp_path: Path) -> None:
    found = find(entry(tmp_path, "persian"))
    assert found.layout.text_vocab == LAYOUTS["multilingual"].text_vocab + EXTRA_TOKENS
    tokenizer = load_tokenizer(found)
    assert tokenizer.encode("a", "fa")[0] == LAYOUTS["multilingual"].text_vocab
    assert tokenizer.encode("a", "en")[1:] == tokenizer.encode("a", "fa")[1:]
    with pytest.raises(ValueError, match="no language token"):
        tokenizer.encode("a", "xx")
    path = tmp_path / "persian/tokenizer.json"
    smaller = json.loads(path.read_text())
    smaller["model"]["vocab"].popitem()
    path.write_text(json.dumps(smaller))
    assert find(f"a={tmp_path}/persian:multilingual:fa").layout.text_vocab == found.layout.text_vocab - 1


def test_a_pickle_has_the_tensors_that_torch_reads(find: Find, tmp_path: Path) -> None:
    found = find(entry(tmp_path, "pickled"))
    published = load_file(checkpoint("turbo") / "t3_turbo_v1.safetensors")
    assert {name: value.shape for name, value in load_t3_state(found).items()} == {
        name: value.shape for name, value in published.items()
    }
    for name in ("ve.pt", "conds.pt", "s3gen.pt"):  # our own reader's shapes and torch's
        path = checkpoint("multilingual") / name
        loaded = torch.load(path, weights_only=True)
        (shapes,) = examine(path).parts.values()
        assert shapes == {part: tuple(value.shape) for part, value in leaves(loaded, torch.Tensor)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{wrong}", r"t3_turbo_v1.safetensors has 2 layers of width 128 and 6563 speech tokens.*multilingual has 30"),
        ("a={single}:multilingual", "its T3 has 704 text tokens, multilingual has 2454, and of tokenizers none came"),
        ("a={persian}:multilingual:ku", r"tokenizer tokenizer.json has no token '\[ku\]': name the languages"),
        ("a={plain}:multilingual:fa", r"tokenizer grapheme_mtl_merged_expanded_v1.json has no token '\[fa\]'"),
        ("a={ema}:english", "ema.safetensors has several of the kind T3: '(ema|model).' or '(ema|model).'; keep one"),
        ("a={flat}:english", r"t3.safetensors has speech_emb.weight of the shape \(1,\), which is no matrix"),
        ("a={none}:english", r"has ve.safetensors \(voice encoder\), but no .safetensors or .pt file with a T3"),
        ("a={adapter}:english", "a LoRA adapter becomes a voice: python -m chatterbox_worker.train.import_adapter"),
        ("a={two}:english", "has several T3: a.safetensors or b.safetensors; name one of them, such as a.safetensors"),
        ("a=/no/such/folder:english", "/no/such/folder cannot be read: No such file or directory"),
        ("a={two}/notes.txt:english", r"notes.txt must be one of \*.safetensors or \*.pt"),
        ("a=owner/repo@1:english", "owner/repo@1 is not in .* and the download failed"),
        ("a={meanflow}:english", "the S3Gen in s3gen_meanflow.safetensors is of another family than english"),
        ("a={misnamed}:english", r"s3gen.safetensors \(voice encoder\) is named like the S3Gen, but has none"),
        ("a={odd}:english", r"has b.json \(no tokenizer\) or odd.safetensors \(tensors such as x\), but no"),
        ("a={encoders}:english", "several of the kind voice encoder: a.safetensors or b.safetensors; call the"),
        ("a={tokenizers}:english", "several tokenizers: a.json or b.json; call the right one tokenizer.json"),
        ("a={vocabulary}:turbo", r"vocab.json is not a vocabulary: tokens with their numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused_with_what_was_found(find: Find, tmp_path: Path, text: str, why: str) -> None:
    folders = ("none", "adapter", "two", "plain", "ema", "flat", "meanflow", "misnamed", "odd", "encoders",
               "tokenizers", "vocabulary")  # fmt: skip
    for name in folders:
        (tmp_path / name).mkdir()
    for name in ("meanflow", "misnamed", "encoders", "tokenizers"):
        (tmp_path / name / "t3.safetensors").symlink_to(checkpoint("english") / "t3_cfg.safetensors")
    (tmp_path / "meanflow/s3gen_meanflow.safetensors").symlink_to(checkpoint("turbo") / "s3gen_meanflow.safetensors")
    (tmp_path / "misnamed/s3gen.safetensors").symlink_to(checkpoint("english") / "ve.safetensors")
    save_file({"x": torch.ones(1)}, tmp_path / "odd/odd.safetensors")
    (tmp_path / "odd/b.json").write_text("{}")
    for name in ("a", "b"):
        (tmp_path / f"encoders/{name}.safetensors").symlink_to(checkpoint("english") / "ve.safetensors")
        (tmp_path / f"tokenizers/{name}.json").symlink_to(checkpoint("english") / "tokenizer.json")
    for name in ("t3_turbo_v1.safetensors", "merges.txt", "added_tokens.json"):
        (tmp_path / "vocabulary" / name).symlink_to(checkpoint("turbo") / name)
    (tmp_path / "vocabulary/vocab.json").write_text('{"a": -1}')
    shutil.copy(checkpoint("multilingual") / LAYOUTS["multilingual"].t3, tmp_path / "plain")
    names = ("speech_head.weight", "text_emb.weight", "speech_emb.weight")
    twice = {f"{start}{name}": torch.ones(1, 1) for start in ("model.", "ema.") for name in names}
    save_file(twice, tmp_path / "ema/ema.safetensors")
    flat = {name: torch.ones(1, 1) for name in names[:2]} | {names[2]: torch.ones(1)}
    save_file(flat, tmp_path / "flat/t3.safetensors")
    shutil.copy(checkpoint("english") / "ve.safetensors", tmp_path / "none")
    save_file({"x.lora_A.weight": torch.ones(1, 2)}, tmp_path / "adapter/adapter_model.safetensors")
    for name in ("a", "b"):
        shutil.copy(checkpoint("english") / "t3_cfg.safetensors", tmp_path / f"two/{name}.safetensors")
    (tmp_path / "two/notes.txt").write_text("notes")
    parts: dict[str, object] = {name: tmp_path / name for name in folders}
    for name in ("wrong", "single", "persian"):
        if f"{{{name}}}" in text:
            made = entry(tmp_path, name)
            parts[name] = made if text == f"{{{name}}}" else tmp_path / name
    with pytest.raises(NotReady, match=why):
        find(text.format(**parts))


def test_a_file_of_several_is_chosen_by_name_and_models_have_their_own_identity(find: Find, tmp_path: Path) -> None:
    state = load_file(checkpoint("english") / "t3_cfg.safetensors")
    save_file(state, tmp_path / "a.safetensors")
    save_file({name: value * 1.01 for name, value in state.items()}, tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"broken, and of another T3")
    found = [find(f"x={tmp_path}/{name}.safetensors:english") for name in ("a", "b", "a")]
    assert [each.path(each.layout.t3).name for each in found] == ["a.safetensors", "b.safetensors", "a.safetensors"]
    assert found[0].revision == found[2].revision != found[1].revision


def test_of_several_files_of_a_kind_the_one_with_the_familys_name_is_used(find: Find, tmp_path: Path) -> None:
    for model, names in (
        ("english", ("t3_cfg.safetensors", "ve.safetensors", "tokenizer.json")),
        ("turbo", ("t3_turbo_v1.safetensors", "vocab.json", "merges.txt", "added_tokens.json")),
    ):
        (tmp_path / model).mkdir()
        for name in names:
            (tmp_path / model / name).symlink_to(checkpoint(model) / name)
    for name, copied in (("a.safetensors", "ve.safetensors"), ("a.json", "tokenizer.json")):
        (tmp_path / "english" / name).symlink_to(checkpoint("english") / copied)
    english, turbo = (find(f"x={tmp_path / model}:{model}") for model in ("english", "turbo"))
    assert (english.layout.voice_encoder, english.layout.tokenizer) == ("ve.safetensors", ("tokenizer.json",))
    assert turbo.layout.tokenizer == ("vocab.json", "merges.txt", "added_tokens.json")
    assert {turbo.path(name).parent for name in turbo.layout.tokenizer} == {tmp_path / "turbo"}
    assert turbo.layout.text_vocab == LAYOUTS["turbo"].text_vocab


def test_chinese_uses_the_table_of_the_base(find: Find, tmp_path: Path) -> None:
    entry(tmp_path, "persian")
    for languages, has_table in (("zh+fa", True), ("fa", False)):
        found = find(f"persian={tmp_path}/persian:multilingual:{languages}")
        assert ("Cangjie5_TC.json" in found.files) is has_table
    (tmp_path / "bases/multilingual/Cangjie5_TC.json").unlink()
    assert "Cangjie5_TC.json" not in find(f"persian={tmp_path}/persian:multilingual:zh").files


def test_a_folder_with_many_files_is_something_else(
    find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = entry(tmp_path, "single")
    monkeypatch.setattr(custom, "_MOST_FILES", 1)
    assert find(text)
    (tmp_path / "single/README.md").write_text("")
    with pytest.raises(NotReady, match="single has 2 files"):
        find(text)


def test_sizes_of_another_published_family_are_refused(find: Find, tmp_path: Path) -> None:
    layers, width = LAYOUTS["nano"].layers, LAYOUTS["nano"].width
    shapes: dict[str, tuple[int, ...]] = {f"tfmr.h.{layer}.ln_1.weight": (1,) for layer in range(layers)}
    shapes |= {"tfmr.ln_f.weight": (1,), "speech_head.weight": (6563, width), "text_emb.weight": (50276, 1),
               "speech_emb.weight": (1, 1)}  # fmt: skip
    sized = {name: torch.zeros(shape, dtype=torch.int8) for name, shape in shapes.items()}
    save_file(sized, tmp_path / "t3.safetensors")
    with pytest.raises(
        NotReady, match="12 layers of width 768 and 6563 speech tokens, of the family nano; turbo has 24"
    ):
        find(f"a={tmp_path}/t3.safetensors:turbo")
    shapes = {f"tfmr.layers.{layer}.mlp": (1,) for layer in range(LAYOUTS["english"].layers)} | {
        "speech_head.weight": (8194, 1024), "speech_emb.weight": (8195, 1), "text_emb.weight": (704, 1)
    }  # fmt: skip
    save_file(
        {name: torch.zeros(shape, dtype=torch.int8) for name, shape in shapes.items()}, tmp_path / "t3.safetensors"
    )
    with pytest.raises(NotReady, match="of the family flash; english has"):
        find(f"a={tmp_path}/t3.safetensors:english")


def test_a_tokenizer_with_ids_beyond_the_table_is_refused(find: Find, tmp_path: Path) -> None:
    text, path = entry(tmp_path, "persian"), tmp_path / "persian/tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"][chr(0xFB50)] = LAYOUTS["multilingual"].text_vocab + EXTRA_TOKENS
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(NotReady, match=r"those of tokenizer\.json are larger"):
        find(text)


def test_json_that_is_no_tokenizer_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("trainer_log.json", "tokenizer.json"):
        (tmp_path / name).write_text("[" * 100_000)
    assert examine(tmp_path / "trainer_log.json").tokens is None
    with pytest.raises(NotReady, match="is not JSON"):
        examine(tmp_path / "tokenizer.json")
    (tmp_path / "b.json").write_text(json.dumps({"model": {"vocab": [["a", 0.0]]}}))
    assert examine(tmp_path / "b.json").tokens is None
    (tmp_path / "c.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}}))
    assert examine(tmp_path / "c.json").tokens == {"a": 0}
    for added in (5, [{"content": ["a"], "id": 1}], [{"content": "b", "id": "1"}]):
        (tmp_path / "b.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}, "added_tokens": added}))
        assert examine(tmp_path / "b.json").tokens is None
    size = (tmp_path / "c.json").stat().st_size
    monkeypatch.setattr(contents, "_LARGEST_JSON", size)
    assert examine(tmp_path / "c.json").tokens == {"a": 0}
    monkeypatch.setattr(contents, "_LARGEST_JSON", size - 1)
    assert examine(tmp_path / "c.json").tokens is None
    shutil.copy(tmp_path / "c.json", tmp_path / "tokenizer.json")
    with pytest.raises(NotReady, match=f"has {size} bytes; no tokenizer has more than {size - 1}"):
        examine(tmp_path / "tokenizer.json")


def test_a_header_without_shapes_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "data_offsets": [0, 0]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(NotReady, match=r"a\.safetensors cannot be read: KeyError"):
        examine(tmp_path / "a.safetensors")


def test_in_an_image_it_lies_like_other_models_and_may_lack_the_originals(find: Find, tmp_path: Path) -> None:
    text = entry(tmp_path, "persian")
    found = find(text)
    home = tmp_path / "weights/persian"
    home.mkdir(parents=True)
    for name, path in found.files.items():
        shutil.copy(path, home / name)
    write_manifest(found, parse_custom_models(text)[0], home)
    baked = find(text, tmp_path / "weights")
    assert baked.folder == home
    assert set(baked.files) == set(found.files)
    assert baked.layout.text_vocab == found.layout.text_vocab
    with pytest.raises(NotReady, match=r"has no token '\[ku\]'"):
        find(text.replace(":fa+en", ":ku"), tmp_path / "weights")
    replace_originals([baked])
    prepared = find(text, tmp_path / "weights")
    assert prepared.is_prepared
    assert prepared.revision == baked.revision
    with pytest.raises(NotReady, match="/elsewhere cannot be read"):
        find("persian=/elsewhere:multilingual:fa", tmp_path / "weights")  # the variable has changed
    with pytest.raises(NotReady, match="what it lacks of multilingual-v2 is missing"):  # so has its family
        find(text.replace(":multilingual:", ":multilingual-v2:"), tmp_path / "weights")
    (home / "chatterbox-worker-custom.json").write_text("{}")
    with pytest.raises(NotReady, match=r"custom\.json cannot be read: KeyError"):
        find(text, tmp_path / "weights")


def test_in_an_image_a_file_with_all_parts_keeps_those_that_no_pack_has(find: Find, tmp_path: Path) -> None:
    base, home = checkpoint("english"), tmp_path / "weights/all"
    parts = {"t3.": "t3_cfg.safetensors", "s3gen.": "s3gen.safetensors", "ve.": "ve.safetensors"}
    whole = {f"{start}{key}": value for start, name in parts.items() for key, value in load_file(base / name).items()}
    (tmp_path / "all").mkdir()
    save_file(whole, tmp_path / "all/model.safetensors")
    text = f"all={tmp_path}/all:english"
    found = find(text)
    home.mkdir(parents=True)
    for name, path in found.files.items():
        shutil.copy(path, home / name)
    write_manifest(found, parse_custom_models(text)[0], home)
    replace_originals([find(text, tmp_path / "weights")])
    assert load_voice_encoder_state(find(text, tmp_path / "weights")).keys() == load_file(base / parts["ve."]).keys()


def test_s3gen_of_a_base_without_its_originals_is_the_prepared_one(find: Find, tmp_path: Path) -> None:
    shutil.copytree(checkpoint("english"), tmp_path / "weights/english")
    base = find(f"x={tmp_path}/weights/english/t3_cfg.safetensors:english", tmp_path / "weights")
    assert base.s3gen_from is None
    text = entry(tmp_path, "single")
    published = find(text, tmp_path / "weights")
    replace_originals([locate.find(LAYOUTS["english"], weights_dir=tmp_path / "weights", offline=True)])
    found = find(text, tmp_path / "weights")
    assert published.s3gen_from is None
    assert found.s3gen_source.is_prepared
    assert found.s3gen_source.layout.name == "english"


def test_what_the_base_lacks_is_named_with_what_was_found(find: Find, tmp_path: Path) -> None:
    text = entry(tmp_path, "single")
    write_files(tmp_path / "few", "english")
    (tmp_path / "few/english/conds.pt").unlink()
    with pytest.raises(NotReady, match=r"model.safetensors \(T3\), and what it lacks of english is missing too"):
        find(text, tmp_path / "few")
