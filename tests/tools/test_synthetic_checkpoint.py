from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from support.checkpoints import (
    checkpoint,
    layout_of,
    upstream_may_warn,
    upstream_s3gen,
    upstream_t3,
    upstream_voice_encoder,
)
from tools.synthetic_checkpoint import main
from tools.synthetic_weights import fill
from tools.upstream import FULL, TINY, build_s3gen, build_t3, shapes

pytestmark = pytest.mark.slow  # upstream's imports alone take longer than the fast suite allows

MODELS = ("english", "multilingual", "turbo", "nano", "flash", "pt-br")


@pytest.mark.parametrize("model", MODELS)
def test_upstream_loads_the_checkpoint_and_every_named_file_is_there(model: str) -> None:
    folder = checkpoint(model)
    layout = layout_of(folder)
    assert layout.name == model
    assert {path.name for path in folder.iterdir()} >= set(layout.files)
    upstream_t3(folder)
    upstream_s3gen(folder)
    upstream_voice_encoder(folder)


@pytest.mark.parametrize("model", LAYOUTS)
def test_a_narrow_t3_has_the_keys_of_the_real_one(model: str) -> None:
    with torch.device("meta"):
        tiny, full = (shapes(build_t3(LAYOUTS[model], sizes)) for sizes in (TINY, FULL))
    assert set(tiny) <= set(full)
    layers = {name for name in full if ".layers." in name or ".h." in name}
    assert set(full) - layers == set(tiny) - layers


# Parameter counts of the released models (text and speech parts as upstream's loader builds them).
@pytest.mark.parametrize(
    ("model", "millions"), [("english", 532.4), ("multilingual", 536.0), ("turbo", 478.9), ("nano", 217.5)]
)
def test_the_full_t3_has_the_published_number_of_parameters(model: str, millions: float) -> None:
    with torch.device("meta"):
        parts = shapes(build_t3(LAYOUTS[model], FULL))
    assert sum(torch.Size(shape).numel() for shape, _ in parts.values()) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("meanflow", [False, True])
def test_a_narrow_s3gen_has_the_keys_of_the_real_one(meanflow: bool) -> None:
    with torch.device("meta"):
        tiny, full = (shapes(build_s3gen(sizes, meanflow=meanflow)) for sizes in (TINY, FULL))
    assert set(tiny) < set(full)
    assert ("flow.decoder.estimator.time_embed_mixer.weight" in tiny) is meanflow


def test_upstream_generates_speech_with_it() -> None:
    folder = checkpoint("turbo")
    s3gen, conditionals = upstream_s3gen(folder), torch.load(folder / "conds.pt", weights_only=True)
    torch.manual_seed(0)
    sound, _ = s3gen.inference(torch.arange(20)[None] * 100, ref_dict=dict(conditionals["gen"]), n_cfm_timesteps=2)
    assert sound.shape == (1, 20 * 960)
    assert 0.01 < sound.std() < 0.9
    assert sound.isfinite().all()


def test_speech_does_not_stop_by_itself_and_depends_on_the_text() -> None:
    from chatterbox.models.t3.modules.cond_enc import T3Cond

    folder = checkpoint("english")
    t3, known = upstream_t3(folder), torch.load(folder / "conds.pt", weights_only=True)["t3"]

    def speak(*text: int) -> torch.Tensor:
        torch.manual_seed(0)
        tokens = torch.tensor([[START_TEXT, *text, STOP_TEXT]] * 2)
        with torch.inference_mode(), upstream_may_warn():
            spoken: torch.Tensor = t3.inference(t3_cond=T3Cond(**known), text_tokens=tokens, max_new_tokens=40)[0]
        return spoken

    first, again, other = speak(20, 30, 40), speak(20, 30, 40), speak(20, 30, 41)
    assert len(first) == 40
    assert (first < 6561).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(set(first.tolist())) > 20


def test_a_tensor_depends_only_on_seed_file_and_name() -> None:
    first = fill("a.weight", (4, 4), file="t3", seed=1)
    assert torch.equal(first, fill("a.weight", (4, 4), file="t3", seed=1))
    for other in (("b.weight", "t3", 1), ("a.weight", "ve", 1), ("a.weight", "t3", 2)):
        assert not torch.equal(first, fill(other[0], (4, 4), file=other[1], seed=other[2]))


@pytest.mark.parametrize("model", MODELS[1:3])
def test_no_parameter_has_a_constant_value_that_would_hide_bugs(model: str) -> None:
    folder = checkpoint(model)
    for module in (upstream_t3(folder), upstream_s3gen(folder), upstream_voice_encoder(folder)):
        for name, value in module.named_parameters():
            assert value.numel() == 1 or value.std() > 1e-4, f"{name} is constant"


def test_the_command_writes_a_pack_and_refuses_to_overwrite_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tmp_path / "it"), "--model", "zh-cmn", "--size", "tiny", "--seed", "3"])
    assert (tmp_path / "it" / "t3_zh_cmn.safetensors").is_file()
    assert "zh-cmn, tiny" in capsys.readouterr().out
    with pytest.raises(FileExistsError):
        main([str(tmp_path / "it"), "--model", "zh-cmn"])
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
