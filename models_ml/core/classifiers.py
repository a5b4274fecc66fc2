"""Text classifiers over frozen word vectors: a convolutional network and two averaging ones."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's own pages use

from models_ml.core.convolution import valid_windows

KINDS = ("cnn", "dan", "logistic")


@dataclass(frozen=True)
class ClassifierConfig:
    """The kind of a classifier and its sizes.

    filters, widths: of the convolutions of `cnn`; hidden: units of each hidden layer of `dan`.
    """

    kind: str = "cnn"
    filters: int = 100
    widths: tuple[int, ...] = (3, 4, 5)
    hidden: int = 100

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"classifier {self.kind!r} is none of {', '.join(KINDS)}")


class Classifier(nn.Module, ABC):
    """Logits of documents from the vectors of their tokens; ends in one linear layer."""

    def __init__(self, config: ClassifierConfig, *, dim: int, classes: int, features: int) -> None:
        super().__init__()
        self.config = config
        self.dim = dim
        self.classes = classes
        self.classifier = nn.Linear(features, classes)

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, (batch, classes); what lies past a document's end has no effect.

        embedded: (batch, length, dim); lengths: (batch,) in tokens.
        """

    @property
    @abstractmethod
    def first_weights(self) -> list[Tensor]:
        """What word vectors are multiplied by."""

    def read_scaled(self, scale: float) -> None:
        """Make the classifier answer as it did to vectors `scale` times as long."""
        with torch.no_grad():
            for weight in self.first_weights:
                weight.mul_(scale)


class KimCNN(Classifier):
    """Convolutions of several widths, ReLU, each filter's best window, one linear layer.

    Source: Kim 2014, one channel of frozen vectors. A document shorter than a width has a single
    window, filled up with zero vectors; else no window runs past the document's end.
    """

    def __init__(self, config: ClassifierConfig, *, dim: int, classes: int) -> None:
        features = config.filters * len(config.widths)
        super().__init__(config, dim=dim, classes=classes, features=features)
        self.convolutions = cast(
            Sequence[nn.Conv1d],
            nn.ModuleList(nn.Conv1d(dim, config.filters, width) for width in config.widths),
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        embedded = without_padding(embedded, lengths)
        pooled = []
        for convolution in self.convolutions:
            width = convolution.kernel_size[0]
            padded = F.pad(embedded, (0, 0, 0, max(width - embedded.shape[1], 0)))
            scores = F.conv1d(padded.transpose(1, 2), convolution.weight)
            exists = valid_windows(lengths, width=width, windows=scores.shape[2])
            pooled.append(scores.masked_fill(~exists[:, None, :], -torch.inf).max(dim=2).values)
        return self.from_best_windows(pooled)

    @property
    def first_weights(self) -> list[Tensor]:
        return [convolution.weight for convolution in self.convolutions]

    def from_best_windows(self, pooled: Sequence[Tensor]) -> Tensor:
        """Return logits, (batch, classes), from each width's best scores, (batch, filters).

        A filter's bias and ReLU keep the order of its windows, so they follow the maximum.
        """
        biases = [cast(Tensor, convolution.bias) for convolution in self.convolutions]
        features = F.relu(torch.cat(list(pooled), dim=1) + torch.cat(biases))
        return F.linear(features, self.classifier.weight, self.classifier.bias)


class Averaging(Classifier):
    """The mean of a document's vectors, hidden ReLU layers (none for `logistic`), a linear layer.

    Source of `dan`: Iyyer et al. 2015, two hidden layers. The mean is over all tokens: an unknown
    one adds a zero vector and counts in the length.
    """

    def __init__(self, config: ClassifierConfig, *, dim: int, classes: int) -> None:
        sizes = [dim, config.hidden, config.hidden] if config.kind == "dan" else [dim]
        super().__init__(config, dim=dim, classes=classes, features=sizes[-1])
        self.hidden = cast(
            Sequence[nn.Linear],
            nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes)),
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        return self.from_means(mean_vectors(without_padding(embedded, lengths).sum(dim=1), lengths))

    @property
    def first_weights(self) -> list[Tensor]:
        return [self.hidden[0].weight if len(self.hidden) else self.classifier.weight]

    def from_means(self, features: Tensor) -> Tensor:
        """Return logits, (batch, classes), from documents' mean vectors, (batch, dim)."""
        for layer in self.hidden:
            features = F.relu(F.linear(features, layer.weight, layer.bias))
        return F.linear(features, self.classifier.weight, self.classifier.bias)


def without_padding(embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return the vectors, (batch, length, dim), zero past each document's end."""
    inside = torch.arange(embedded.shape[1]) < lengths[:, None]
    return embedded * inside[:, :, None]


def mean_vectors(sums: Tensor, lengths: Tensor) -> Tensor:
    """Return documents' mean vectors, (batch, dim), from their sums; an empty one's is zero."""
    return sums / lengths.clamp(min=1)[:, None]


def new_classifier(
    config: ClassifierConfig, *, dim: int, classes: int, generator: torch.Generator
) -> Classifier:
    """Return a classifier with weights and biases uniform in ±1/√inputs, torch's own choice."""
    classifier = _without_weights(config, dim=dim, classes=classes)
    with torch.no_grad():
        for layer in classifier.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d):
                bound = layer.weight[0].numel() ** -0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                cast(Tensor, layer.bias).uniform_(-bound, bound, generator=generator)
    return classifier


def _without_weights(config: ClassifierConfig, *, dim: int, classes: int) -> Classifier:
    """Return a classifier with unset weights; torch's global generator is not drawn from."""
    kind = KimCNN if config.kind == "cnn" else Averaging
    with torch.device("meta"):
        classifier = kind(config, dim=dim, classes=classes)
    return classifier.to_empty(device="cpu")


def save_classifier(path: Path, classifier: Classifier) -> None:
    """Write weights and configuration as safetensors; equal classifiers give equal bytes."""
    shape = {"config": asdict(classifier.config), "dim": classifier.dim}
    # One metadata key, since safetensors does not promise an order of several.
    metadata = {"classifier": json.dumps(shape | {"classes": classifier.classes}, sort_keys=True)}
    path.write_bytes(save(classifier.state_dict(), metadata))


def load_classifier(path: Path) -> Classifier:
    """Return the classifier of a file; raises ValueError for a file that holds none."""
    try:
        with safe_open(path, framework="pt") as file:
            shape = json.loads((file.metadata() or {})["classifier"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        shape["config"]["widths"] = tuple(shape["config"]["widths"])
        classifier = _without_weights(
            ClassifierConfig(**shape["config"]), dim=shape["dim"], classes=shape["classes"]
        )
        classifier.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a saved classifier: {error}") from error
    return classifier
