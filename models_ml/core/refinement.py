"""Moving word vectors towards what annotators said about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, WordIds
from models_ml.core.training import Progress

REPORT_EVERY = 100  # iterations


@dataclass(frozen=True)
class RefinementConfig:
    """A refinement method and its options.

    learning_rate, iterations: of Adam, full batch; regularization: λ of Eq. 5.
    """

    method: str = "paper"
    learning_rate: float = 1e-3
    iterations: int = 10_000
    regularization: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"refinement method {self.method!r} is none of {', '.join(METHODS)}")
        if self.iterations < 0:
            raise ValueError(f"iterations must not be negative, but are {self.iterations}")


def refine(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    progress: Progress | None = None,
) -> Embedding:
    """Return the embedding moved by the constraints; the input is unchanged.

    `progress` is told (iterations done, iterations). Raises ValueError for an id outside the
    vocabulary. Without constraints nothing moves.
    """
    if not constraints:
        return embedding
    return METHODS[config.method](embedding, constraints, config, progress or _nobody)


def _nobody(done: int, total: int) -> None:
    """Tell nobody."""


def follow_paper(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Embedding:
    """Return the embedding after Adam's steps down Eq. 3-5 from where the vectors were.

    Only words in constraints move, and no vector is brought back to unit length. A keyword with
    many constraints makes the cost unbounded below: then norms grow with the iterations.
    Source: Yuan et al. 2020, Eq. 3-5.
    """
    ids, links = constraint_graph(constraints)
    start = torch.from_numpy(embedding.gather(ids)).double()  # (moved, dim)
    rows = start.clone()
    optimizer = torch.optim.Adam([rows], lr=config.learning_rate, fused=True)
    for iteration in range(1, config.iterations + 1):
        rows.grad = cost_gradient(rows, start, links, config.regularization)
        optimizer.step()
        if iteration % REPORT_EVERY == 0 or iteration == config.iterations:
            progress(iteration, config.iterations)
    return embedding.moved(ids, rows.float().numpy())


def constraint_graph(constraints: Sequence[Constraint]) -> tuple[WordIds, Tensor]:
    """Return the words in constraints, (moved,) ascending ids, and their links L.

    L: (moved, moved), symmetric and sparse, with ½ Σ_ij L_ij E_i·E_j = C_f(E) of Eq. 3-4: a
    constraint adds -sign · weight at (keyword, neighbour) and at (neighbour, keyword), so a pair
    judged under either of its words counts twice.
    """
    pairs = np.array([(c.keyword, c.neighbour) for c in constraints], dtype=np.int64)
    costs = torch.tensor([-float(c.sign) * c.weight for c in constraints], dtype=torch.float64)
    ids, places = np.unique(pairs, return_inverse=True)
    ends = torch.from_numpy(places.reshape(pairs.shape)).T  # (2, constraints)
    links = torch.sparse_coo_tensor(
        torch.cat([ends, ends.flip(0)], dim=1),
        torch.cat([costs, costs]),
        (len(ids), len(ids)),
        check_invariants=True,
    )
    return ids, links.coalesce()


def cost(rows: Tensor, start: Tensor, links: Tensor, regularization: float) -> Tensor:
    """Return C(E) of Eq. 3-5 over the words in constraints, a scalar.

    rows: E, start: Ê, both (moved, dim). Words in no constraint add nothing.
    """
    return (rows * (links @ rows)).sum() / 2 + regularization * (rows - start).square().sum()


def cost_gradient(rows: Tensor, start: Tensor, links: Tensor, regularization: float) -> Tensor:
    """Return ∂C/∂E, (moved, dim); written out, as autograd takes seven times as long."""
    return (links @ rows).add_(rows - start, alpha=2 * regularization)


Method = Callable[[Embedding, Sequence[Constraint], RefinementConfig, Progress], Embedding]
METHODS: dict[str, Method] = {"paper": follow_paper}
