"""What each refinement method buys on each dataset, by a simulated annotator's noise and keywords.

    python benchmarks/accuracy.py DATASET … [--methods realign,paper] [--noise 0,0.1,0.3]
        [--keywords 10,20,30,40,50] [--seeds 10] --out cells.jsonl

Each cell is one `experiment`: Base, the method, or a control (`anchors`, `lengths`) in a method's
place. A cell that stands in the file already is not run again. At the end: a table of changes from
Base, and for each method the share of cells that end more than a point below it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from models_ml.core.dataset import Dataset, load_dataset
from models_ml.core.experiment import ExperimentConfig, run_experiment
from models_ml.core.refinement import RefinementConfig

METHODS = "realign_spectral,realign,spectral,code_switch,paper,lengths,anchors"
CONTROLS = ("base", "anchors", "lengths")
WITHOUT_ANNOTATOR = ("base", "anchors")
HARM = 0.01  # below Base

Cell = tuple[str, str, float, int]  # dataset, method, noise, keywords


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure refinement methods.")
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--noise", default="0,0.1,0.3")
    parser.add_argument("--keywords", default="10,20,30,40,50")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = read_cells(options.out)
    methods = ["base", *options.methods.split(",")]
    noise = [float(n) for n in options.noise.split(",")]
    keywords = [int(n) for n in options.keywords.split(",")]
    for folder in options.datasets:
        dataset = load_dataset(folder)
        for cell in cells(folder.name, methods, noise, keywords):
            if cell not in known:
                known[cell] = measured(dataset, cell, seeds=options.seeds)
                with options.out.open("a") as file:
                    file.write(json.dumps([cell, known[cell]]) + "\n")
    show(known)


def cells(
    dataset: str, methods: Sequence[str], noise: Sequence[float], keywords: Sequence[int]
) -> Iterator[Cell]:
    """Yield a dataset's cells; what asks no annotator is one cell, with neither noise nor words."""
    for method in methods:
        if method in WITHOUT_ANNOTATOR:
            yield dataset, method, 0.0, 0
        else:
            yield from ((dataset, method, *work) for work in product(noise, keywords))


def measured(dataset: Dataset, cell: Cell, *, seeds: int) -> list[float]:
    """Return the accuracy of each seed."""
    _, method, noise, keywords = cell
    is_control = method in CONTROLS
    refinement = RefinementConfig() if is_control else RefinementConfig(method)
    arm = method if is_control else "clime"
    config = ExperimentConfig(
        arms=(arm,),
        keywords=max(keywords, 1),
        noise=noise,
        annotator_seed=1,
        seeds=seeds,
        training=refinement.training,
        refinement=refinement,
    )
    experiment = run_experiment(dataset, config)
    print(*cell, f"{100 * experiment.arms[arm].evaluation.mean:.1f}", flush=True)
    return list(experiment.arms[arm].evaluation.accuracies)


def read_cells(path: Path) -> dict[Cell, Any]:
    """Return the cells that a file holds already."""
    if not path.exists():
        return {}
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return {tuple(cell): accuracies for cell, accuracies in lines}


def show(known: dict[Cell, Sequence[float]]) -> None:
    """Print the changes from Base in points, and the shares of harm."""
    means = {cell: sum(accuracies) / len(accuracies) for cell, accuracies in known.items()}
    gains = {
        cell: mean - means[cell[0], "base", 0.0, 0]
        for cell, mean in means.items()
        if cell[1] != "base"
    }
    keywords = sorted({cell[3] for cell in gains if cell[3]})
    print("dataset | method | noise |", " | ".join(map(str, keywords)))
    for dataset, method, noise in sorted({cell[:3] for cell in gains}):
        if method in WITHOUT_ANNOTATOR:
            print(f"{dataset} | {method} | – | {100 * gains[dataset, method, noise, 0]:+.1f}")
            continue
        row = [gains.get((dataset, method, noise, n)) for n in keywords]
        words = [f"{100 * gain:+.1f}" if gain is not None else "–" for gain in row]
        print(f"{dataset} | {method} | {noise} |", " | ".join(words))
    for method in sorted({cell[1] for cell in gains}):
        of_method = [gain for cell, gain in gains.items() if cell[1] == method]
        harmed = sum(gain < -HARM for gain in of_method)
        print(f"{method}: {harmed} of {len(of_method)} cells below Base by more than a point")


if __name__ == "__main__":
    main()
