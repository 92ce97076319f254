"""What a run trains with, and what a saved run must have in common with one that continues it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chatterbox_worker.engines.chatterbox.training.corpus import Corpus
from chatterbox_worker.engines.chatterbox.training.sampler import Batching
from chatterbox_worker.engines.chatterbox.training.scope import Scope
from chatterbox_worker.engines.chatterbox.training.session import data_digest
from chatterbox_worker.engines.chatterbox.training.trainer import Recipe
from chatterbox_worker.train.options import Options
from chatterbox_worker.train.session import Session

_MAY_GROW = ("steps", "patience")
"""What a continued run may have more of: neither changes a step that was taken."""


def recipe_of(options: Options, session: Session, corpus: Corpus, scope: Scope) -> Recipe:
    batching = Batching(options.batch_size, options.accumulate, options.seed)
    epoch = batching.steps_per_epoch(len(corpus.clips))
    recompute = options.gradient_checkpointing
    return Recipe(
        steps=options.steps or options.epochs * epoch,
        batching=batching,
        learning_rate=options.learning_rate,
        text_weight=options.text_weight,
        evaluate_every=(options.eval_every or epoch) if corpus.held_out else 0,
        patience=options.patience,
        arithmetic=session.arithmetic(options.precision),
        recompute=session.is_short_of_memory(scope) if recompute is None else recompute,
        seed=options.seed,
    )


def identity_of(options: Options, recipe: Recipe, session: Session, corpus: Corpus, scope: Scope) -> dict[str, Any]:
    """Everything that decides the weights: a saved run is continued only if all of it is the same."""
    shape = scope.adapter
    return {
        "model": options.model,
        "weights": session.base,
        "data": data_digest(corpus),
        **({} if shape is None else {"rank": shape.rank, "alpha": shape.alpha, "dropout": shape.dropout}),
        **({"full": True} if scope.whole else {}),
        **({"new_tokens": scope.new_rows} if scope.new_rows else {}),
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batching.size,
        "accumulate": recipe.batching.accumulate,
        "steps": recipe.steps,
        "text_weight": recipe.text_weight,
        "eval_every": recipe.evaluate_every,
        "patience": recipe.patience,
        "precision": recipe.arithmetic.value,
        "seed": recipe.seed,
    }


def changes_between(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What differs between two identities, apart from what may grow; empty if nothing."""
    names = dict.fromkeys((*wanted, *saved))
    differing = [name for name in names if not _fits(name, saved.get(name), wanted.get(name))]
    return ", ".join(f"{name} was {saved.get(name)} and is {wanted.get(name)}" for name in differing)


def _fits(name: str, saved: Any, wanted: Any) -> bool:
    """Whether a run that was saved with this value of an option may continue with the wanted one."""
    if name in _MAY_GROW and isinstance(saved, int):
        return (wanted or math.inf) >= (saved or math.inf)  # a patience of 0 has no limit
    return bool(saved == wanted)
