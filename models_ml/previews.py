"""What an open session is worth by now: refined and trained in memory, and nothing stored."""

from __future__ import annotations

from collections.abc import Sequence

from models_ml import refining, runs
from models_ml.core.constraints import Constraint
from models_ml.core.evaluation import Evaluation
from models_ml.core.refinement import RefinementConfig
from models_ml.models import Embedding, Run
from models_ml.services import ReportProgress


def preview(
    run: Run,
    parent: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    session: int,
    report: ReportProgress,
) -> Evaluation:
    """Return the accuracy that a session's constraints so far would come to, over a run's seeds.

    run: what to train and measure on, not stored. For `spectral` and the methods that have no live
    form the accuracies are those of the stored run of the same inputs and seeds. `realign` turns
    the target side without asking held-out judgements whether to (core.live), so it may differ.
    """
    report("refining the vectors", 0, 1)
    refined = refining.refinement_so_far(
        parent, constraints, config=config, session=session, report=report
    )
    bench = runs.bench_of(run, refined.embedding, refined.switches)
    return Evaluation.summary(
        [
            bench.accuracy(runs.predictions(run, bench, seed=seed, report=report))
            for seed in range(run.seeds)
        ]
    )
