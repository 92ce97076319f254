"""The GPU benchmark's harness, with parts that crash and hang; and all of it, as far as it runs on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.gpu import run as run_module
from bench.gpu.__main__ import PARTS
from bench.gpu.parts import candidates
from bench.gpu.results import Results
from bench.gpu.run import PART, Options, Part, run
from bench.gpu.table import table
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from support.paths import ROOT
from tools.gpu_wheels import NEEDED, versions

BROKEN = Part("broken", "support.gpu_part", 1.0)
AFTER = Part("after", "support.gpu_part_that_is_missing", 1.0)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tests'}:{ROOT / 'src'}")
    monkeypatch.setattr(run_module, "_LEAST_S", 0.1)
    monkeypatch.setattr(run_module, "_FAIR_S", 0.1)
    return Options(tmp_path / "out", "cpu", "tiny", tmp_path / "weights")


@pytest.mark.slow
def test_a_case_that_crashes_or_hangs_costs_itself_only(options: Options) -> None:
    results = run([BROKEN, AFTER], options, budget_s=6.0)
    events = {name: (case.event, case.figures.get("reason", "")) for (_, name), case in results.cases().items()}
    assert events["works"] == ("done", "")
    assert events["cannot run here"] == ("skipped", "needs a GPU")
    assert events["raises"] == ("failed", "ValueError: 7 is no such number")
    assert events["crashes"] == ("died", "the process ended with SIGSEGV")
    assert events["works after the crash"][0] == "done"
    assert events["hangs"][0] == "died"
    assert "was stopped after" in events["hangs"][1]
    assert events["works after the hang"][0] == "done"  # in what was left of the budget
    assert results.cases()["after", PART].figures["reason"] == "the process ended with code 1"


def test_a_run_that_was_stopped_goes_on_and_repeats_nothing(options: Options) -> None:
    options.out.mkdir()
    results = Results(options.out / "results.jsonl")
    for name in ("crashes", "hangs"):
        results.add("broken", name, "done", {"earlier": True})
    with results.path.open("a") as file:
        file.write('{"part": "broken", "case": "works", "ev')  # the process was killed while it wrote
    run([BROKEN], options, budget_s=20.0)
    cases = Results(results.path).cases()
    assert cases["broken", "crashes"].figures == {"earlier": True}
    assert cases["broken", "works"].figures["device"] == "cpu"
    assert cases["broken", PART].event == "done"
    lines = results.path.read_text().splitlines()
    run([BROKEN], options, budget_s=20.0)
    assert results.path.read_text().splitlines() == lines


def test_the_table_shows_what_is_there(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    assert "0 done" in table(results.cases())
    results.add("speed", "ours turbo", "done", {"total": 0.5, "case_s": 3.0})
    results.add("speed", "upstream turbo", "done", {"total": 2.0})
    results.add("speed", "kernels turbo", "done", {"kernels": [["gemm", 12, 3.5]], "unit": "ms"})
    results.add("speed", "ours multilingual", "died", {"reason": "the process ended with SIGSEGV"})
    results.add("load", "8 requests", "start")
    text = table(results.cases())
    assert "turbo, ours: 0.5000 s, 4.00 times upstream (2.0000 s)" in text
    assert "3.5 ms      12 x gemm" in text
    assert "died     reason the process ended with SIGSEGV" in text
    assert "8 requests                        running" in text
    assert "load (not finished)" in text


def test_a_family_of_kernels_is_proven_if_it_is_right_and_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path / "results.jsonl")

    def add(name: str, figures: dict[str, object], **families: tuple[float, bool]) -> None:
        rows = {family: {"ratio": ratio, "snr_db": 40.0, "right": right} for family, (ratio, right) in families.items()}
        results.add("candidates", name, "done", figures | rows)

    add("step turbo 1 takes", {"rows": 1}, STEP=(0.3, True))
    add("step turbo 8 takes", {"rows": 8}, STEP=(0.9, True), STEP_OF_8=(0.7, True))
    add("step turbo 16 takes", {"rows": 16}, STEP=(1.01, True), STEP_OF_16=(0.6, False))
    add("flow 1 rows", {"frames": 1792}, SOUND=(0.99, True), FEED_FORWARD=(1.4, True))
    add("flow 8 rows", {"frames": 14336}, SOUND=(0.99, True), FEED_FORWARD=(0.9, True))
    monkeypatch.setattr("bench.gpu.models.device", lambda options: torch.device(options.device))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    found = {family.name: candidates._proven(Options(tmp_path, "cuda", "full", tmp_path), family) for family in Family}
    assert {figures["capability"] for figures in found.values()} == {"(8, 9)"}
    assert {name: figures["verdict"] for name, figures in found.items()} == {
        "STEP": "proven (0.65 of the time)", "STEP_OF_8": "proven (0.70 of the time)",
        "STEP_OF_16": "not proven (0.60 of the time)", "SOUND": "not proven (0.99 of the time)",
        "FEED_FORWARD": "proven (0.90 of the time)",
    }  # fmt: skip
    on_cpu = candidates._proven(Options(tmp_path, "cpu", "full", tmp_path), Family.STEP)
    assert on_cpu["verdict"] == "not measured"


def test_what_a_gpu_machine_lacks_is_pinned() -> None:
    lock = (ROOT / "locks/dev.txt").read_text("utf-8")
    assert [pin.partition("==")[0] for pin in versions(NEEDED, lock)] == list(NEEDED)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(2000)
def test_everything_that_a_cpu_can_show_is_shown(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.gpu", "--device", "cpu", "--size", "tiny", "--budget", "1800"]
    subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--weights", str(tmp_path / "weights")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    cases = Results(tmp_path / "out" / "results.jsonl").cases()
    failed = {key: case.figures for key, case in cases.items() if case.event not in {"done", "skipped"}}
    assert not failed
    assert {part.name for part in PARTS} == {part for part, _ in cases}
    greedy = [
        case.figures["equal"]
        for (_, name), case in cases.items()
        if name.startswith("greedy tokens") and case.event == "done"
    ]
    assert greedy == [True] * 2
    assert {case.figures["hangs"] for (_, name), case in cases.items() if name.endswith("requests")} == {0}
    assert "times upstream" in (tmp_path / "out" / "table.txt").read_text()
    steps = [case.figures["STEP_OF_8"] for (_, name), case in cases.items() if name == "step turbo 8 takes"]
    assert [step["right"] for step in steps] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["multilingual", "english"])
def test_the_engines_benchmark_has_both_sides(model: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.engine", "--model", model, "--seconds", "1", "--repeat", "1"]
    command += ["--concurrency", "", "--profiles", "exact", "--weights", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    single = json.loads(done.stdout.splitlines()[-1])["single"]
    assert set(single["least"]) == {"upstream", "exact"}
    assert single["failed"] == {}
