"""Moving word vectors towards what annotators said about them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array, csc_array, diags_array, eye_array
from scipy.sparse.linalg import eigsh, splu
from torch import Tensor

from models_ml.core.code_switching import Switches, switches_of
from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, WordIds
from models_ml.core.realignment import Evidence, realignment
from models_ml.core.training import PAPER_TRAINING, SCALE_FREE, Progress, TrainingConfig

REPORT_EVERY = 100  # iterations
DEFAULT_METHOD = "realign_spectral"


class UnboundedCostWarning(UserWarning):
    """The paper's cost has no minimum: the longer the descent, the longer the vectors."""


@dataclass(frozen=True)
class RefinementConfig:
    """A refinement method and its options.

    learning_rate, iterations: of Adam, full batch, for `paper`.
    regularization: λ of Eq. 5, how strongly vectors are held where they were; None for the
    method's own, and for `realign` the one that held-out judgements speak for.
    """

    method: str = DEFAULT_METHOD
    learning_rate: float = 1e-3
    iterations: int = 10_000
    regularization: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"refinement method {self.method!r} is none of {', '.join(METHODS)}")
        if self.iterations < 0:
            raise ValueError(f"iterations must not be negative, but are {self.iterations}")
        least = LEAST_STRENGTH.get(self.method)
        if least is not None and self.strength is not None and self.strength <= least:
            raise ValueError(
                f"regularization must be above {least:g} for {self.method}, but is {self.strength}"
            )

    @property
    def strength(self) -> float | None:
        """λ, the method's own where none was chosen; None where the method chooses."""
        if self.regularization is not None:
            return self.regularization
        return OWN_STRENGTH.get(self.method)

    @property
    def settings(self) -> dict[str, Any]:
        """Every option that the method takes by name, for whoever stores or shows a result."""
        options = asdict(self) | {"regularization": self.strength}
        if self.method != "paper":  # Adam's
            del options["learning_rate"], options["iterations"]
        return options

    @property
    def uses_anchors(self) -> bool:
        """Whether part of what the method gains needs no annotator, and wants its control."""
        return self.method in {"realign", "realign_spectral"}

    @property
    def training(self) -> TrainingConfig:
        """How classifiers are trained on what the method makes: after `paper`, as the paper did."""
        return PAPER_TRAINING if self.method == "paper" else SCALE_FREE


@dataclass(frozen=True, eq=False)
class Refinement:
    """What a method made of judgements.

    embedding: the vectors, moved or as they were. switches: by which words training documents are
    to be code-switched; none for most methods. evidence: of `realign`, whether to turn the space.
    """

    embedding: Embedding
    switches: Switches = field(default_factory=Switches)
    evidence: Evidence | None = None


def refine(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    progress: Progress | None = None,
) -> Refinement:
    """Return what the constraints make of the embedding; the input is unchanged.

    `progress` is told (iterations done, iterations). Raises ValueError for an id outside the
    vocabulary. Without constraints nothing moves.
    """
    if not constraints:
        return Refinement(embedding)
    for word in (word for c in constraints for word in (c.keyword, c.neighbour)):
        embedding.word(word)  # raises where it is none
    return METHODS[config.method](embedding, constraints, config, progress or _nobody)


def _nobody(done: int, total: int) -> None:
    """Tell nobody."""


def follow_paper(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Refinement:
    """Return the embedding after Adam's steps down Eq. 3-5 from where the vectors were.

    Only words in constraints move, and no vector is brought back to unit length. A keyword with
    many constraints makes the cost unbounded below (UnboundedCostWarning): then norms grow with
    the iterations. Source: Yuan et al. 2020, Eq. 3-5.
    """
    ids, links = constraint_graph(constraints)
    strength = _strength(config)
    _warn_if_unbounded(similarity_cost(links), strength)
    start = torch.from_numpy(embedding.gather(ids)).double()  # (moved, dim)
    rows = start.clone()
    optimizer = torch.optim.Adam([rows], lr=config.learning_rate, fused=True)
    for iteration in range(1, config.iterations + 1):
        rows.grad = cost_gradient(rows, start, links, strength)
        optimizer.step()
        if iteration % REPORT_EVERY == 0 or iteration == config.iterations:
            progress(iteration, config.iterations)
    return Refinement(embedding.moved(ids, rows.float().numpy()))


def _warn_if_unbounded(similarity: csc_array[np.float64], strength: float) -> None:
    smallest = smallest_eigenvalue(similarity)
    if strength <= -smallest:
        warnings.warn(
            f"with λ = {strength:g} these constraints leave the cost without a minimum: it needs "
            f"λ above {-smallest:.3f}",
            UnboundedCostWarning,
            stacklevel=4,
        )


def solve_spectral(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Refinement:
    """Return the embedding at the minimum of Eq. 3-5 with its graph normalised by degree.

    (D^-½ S D^-½ + λI) E = λÊ, S as in `similarity_cost`, D_ii = 2 Σ_j |S_ij|, solved exactly; then
    each row gets back the length it came with. The normalised graph has no eigenvalue below -½, so
    any λ > ½ has one minimum, however many constraints a keyword has.
    """
    ids, links = constraint_graph(constraints)
    start = embedding.gather(ids).astype(np.float64)  # (moved, dim)
    rows = spectral_rows(similarity_cost(links), start, _strength(config))
    progress(1, 1)
    return Refinement(embedding.moved(ids, with_lengths_of(start, rows).astype(np.float32)))


def spectral_rows(
    similarity: csc_array[np.float64], start: np.ndarray, strength: float
) -> np.ndarray:
    """Return E of (D^-½ S D^-½ + λI) E = λÊ, (moved, columns); see `solve_spectral`.

    similarity: S, (moved, moved); start: Ê, (moved, columns), each column solved by itself.
    """
    degrees: np.ndarray = 2 * np.asarray(abs(similarity).sum(axis=1))
    # A word whose constraints cancel or weigh nothing is linked to nothing, and stays.
    scale = diags_array(1 / np.sqrt(np.where(degrees == 0, 1, degrees)))
    system = scale @ similarity @ scale + strength * eye_array(len(start))
    # The order of elimination for symmetric graphs: keywords are hubs of stars, and little fills.
    factored = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    rows: np.ndarray = factored.solve(strength * start)
    return rows


def with_lengths_of(start: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows, (n, dim), each as long as that of `start`; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = np.linalg.norm(start, axis=1, keepdims=True)
    scaled: np.ndarray = rows * (wanted / np.where(lengths == 0, 1, lengths))
    return scaled


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


def similarity_cost(links: Tensor) -> csc_array[np.float64]:
    """Return S of C(E) = tr(EᵀSE) + λ‖E - Ê‖², (moved, moved): half of the links.

    S_ij is -½ for an accepted pair and +½ for a rejected one, times its weight.
    """
    row, column = links.indices().numpy()
    halves = coo_array((links.values().numpy() / 2, (row, column)), shape=tuple(links.shape))
    return halves.tocsc()


def smallest_eigenvalue(matrix: csc_array[np.float64]) -> float:
    """Return the smallest eigenvalue of a symmetric sparse matrix."""
    if matrix.shape[0] <= 500:  # a dense solver is quicker, and never fails to converge
        return float(np.linalg.eigvalsh(matrix.toarray())[0])
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    return float(eigsh(matrix, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def cost(rows: Tensor, start: Tensor, links: Tensor, regularization: float) -> Tensor:
    """Return C(E) of Eq. 3-5 over the words in constraints, a scalar.

    rows: E, start: Ê, both (moved, dim). Words in no constraint add nothing.
    """
    return (rows * (links @ rows)).sum() / 2 + regularization * (rows - start).square().sum()


def cost_gradient(rows: Tensor, start: Tensor, links: Tensor, regularization: float) -> Tensor:
    """Return ∂C/∂E, (moved, dim); written out, as autograd takes seven times as long."""
    return (links @ rows).add_(rows - start, alpha=2 * regularization)


def turn_target(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Refinement:
    """Return the embedding with its whole target side turned, where that is sure to help.

    See `realignment.realignment`, whose stiffness is the regularization. Rejections are not used.
    """
    turned, evidence = realignment(embedding, constraints, stiffness=config.strength)
    progress(1, 1)
    return Refinement(embedding if turned is None else embedding.mapped(turned), evidence=evidence)


def turn_and_solve(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Refinement:
    """Return the embedding turned as by `realign`, then its annotated words moved by `spectral`.

    The rest of the language follows accepted pairs in the first step; in the second, accepted words
    come closer and rejected ones part, as the annotator said. The regularization is that of the
    second step.
    """
    turned, evidence = realignment(embedding, constraints)
    whole = embedding if turned is None else embedding.mapped(turned)
    return replace(solve_spectral(whole, constraints, config, progress), evidence=evidence)


def switch_codes(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    config: RefinementConfig,
    progress: Progress,
) -> Refinement:
    """Return the embedding as it is, and the accepted words to put into training documents."""
    progress(1, 1)
    return Refinement(embedding, switches=switches_of(embedding, constraints))


def _strength(config: RefinementConfig) -> float:
    """Return λ of a method that has its own, or a later one's plain 1."""
    return 1.0 if config.strength is None else config.strength


Method = Callable[[Embedding, Sequence[Constraint], RefinementConfig, Progress], Refinement]
METHODS: dict[str, Method] = {
    "paper": follow_paper,
    "spectral": solve_spectral,
    "realign": turn_target,
    "realign_spectral": turn_and_solve,
    "code_switch": switch_codes,
}
OWN_STRENGTH = {"paper": 1.0, "spectral": 0.55, "realign_spectral": 0.8}
LEAST_STRENGTH = {"spectral": 0.5, "realign": 0.0, "realign_spectral": 0.5}  # and more
