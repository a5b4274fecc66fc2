"""The best window of each filter, computed over the few word types of a batch.

With frozen vectors a convolution is a table look-up: a word type meets each offset of each filter
once, however often it occurs, and a window's score is the sum of its words' entries. The maximum
has one winner, so the gradient of a filter offset is the sum of the winners' word vectors, each
weighted by its document's gradient. Both sums are bags of table rows (`embedding_bag`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's own pages use

_SCORES_PER_CHUNK = 2**18  # few enough to stay in the processor's cache until they are compared


def valid_windows(lengths: Tensor, *, width: int, windows: int) -> Tensor:
    """Return which windows exist, (batch, windows) bool.

    No window runs past a document's end, but a document shorter than the width has one.
    """
    last = (lengths - width).clamp(min=0)
    return torch.arange(windows) <= last[:, None]


def best_windows(
    weights: Sequence[Tensor], matrix: Tensor, tokens: Tensor, lengths: Tensor
) -> list[Tensor]:
    """Return each filter's highest window score without bias, (batch, filters) for each width.

    weights: (filters, dim, width), as many filters of each width; they alone get a gradient.
    matrix: (1 + types, dim), row 0 zero; tokens: (batch, length) rows of it; lengths: (batch,).
    """
    return list(cast(Any, _BestWindows).apply(matrix, tokens, lengths, *weights))


class _BestWindows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, matrix: Tensor, tokens: Tensor, lengths: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        found = winning_windows(weights, matrix, tokens, lengths)
        ctx.save_for_backward(matrix, tokens, *(winners for _, winners in found))
        ctx.widths = [weight.shape[2] for weight in weights]
        return tuple(best for best, _ in found)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        matrix, tokens, *winners = ctx.saved_tensors
        tokens = _padded(tokens, max(ctx.widths))
        by_width = zip(gradients, winners, ctx.widths, strict=True)
        return None, None, None, *(_weight_gradient(matrix, tokens, *each) for each in by_width)


def _weight_gradient(
    matrix: Tensor, tokens: Tensor, gradient: Tensor, winners: Tensor, width: int
) -> Tensor:
    """Return the gradient of the filters of one width, (filters, dim, width)."""
    batch, filters = gradient.shape
    places = winners.T[:, None, :] + torch.arange(width)[:, None]  # (filters, width, batch)
    words = tokens[torch.arange(batch), places].reshape(-1, batch)
    shares = gradient.T[:, None, :].expand(filters, width, batch).reshape(-1, batch)
    bags = F.embedding_bag(words, matrix, mode="sum", per_sample_weights=shares)
    return bags.view(filters, width, -1).transpose(1, 2)


def winning_windows(
    weights: Sequence[Tensor], matrix: Tensor, tokens: Tensor, lengths: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return each filter's highest score and the first window that has it, for each width.

    Both are (batch, filters); the arguments are those of `best_windows`.
    """
    widths, filters = [weight.shape[2] for weight in weights], len(weights[0])
    table, entries = _table(weights, matrix, _padded(tokens, max(widths)))
    shape = len(tokens), filters
    found = [(table.new_empty(shape), tokens.new_empty(shape)) for _ in widths]
    for chunk in _chunks_by_length(lengths, filters=filters):
        ends, first_offset = lengths[chunk], 0
        for width, (best, winners) in zip(widths, found, strict=True):
            windows = max(int(ends[0]) - width, 0) + 1
            rows = entries[chunk, : windows + width - 1].unfold(1, width, 1)
            rows = rows + torch.arange(first_offset, first_offset + width)
            exists = valid_windows(ends, width=width, windows=windows)
            rows[..., 0].masked_fill_(~exists, len(table) - 1)
            scores = F.embedding_bag(rows.reshape(-1, width), table, mode="sum")
            best[chunk], winners[chunk] = _first_maximum(scores.view(len(chunk), windows, filters))
            first_offset += width
    return found


def _padded(tokens: Tensor, width: int) -> Tensor:
    """Return the tokens, filled up so that the widest filter has a window."""
    return F.pad(tokens, (0, max(width - tokens.shape[1], 0)))


def _table(weights: Sequence[Tensor], matrix: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the score of each word type at each offset of each width, and where to find it.

    table: (types × offsets + 1, filters); the last row is minus infinity.
    entries: (batch, length), the row of the table where a token's offsets begin.
    """
    rank = torch.zeros(len(matrix), dtype=torch.int64)
    rank[tokens] = 1
    types = rank.nonzero()[:, 0]
    rank[types] = torch.arange(len(types))
    by_offset = torch.cat([weight.permute(1, 2, 0).flatten(1) for weight in weights], dim=1)
    filters, offsets = len(weights[0]), by_offset.shape[1] // len(weights[0])
    table = by_offset.new_empty(len(types) * offsets + 1, filters)
    torch.mm(matrix[types], by_offset, out=table[:-1].view(len(types), -1))
    table[-1] = -torch.inf
    return table, rank[tokens] * offsets


def _chunks_by_length(lengths: Tensor, *, filters: int) -> Iterator[Tensor]:
    """Yield the positions of all documents, the longest first, fewer where they are long."""
    order, start = lengths.argsort(descending=True, stable=True), 0
    while start < len(order):
        scores_of_one = int(lengths[order[start]]) * filters
        stop = start + max(1, _SCORES_PER_CHUNK // max(1, scores_of_one))
        yield order[start:stop]
        start = stop


def _first_maximum(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest scores and the first windows that have them, (batch, filters).

    scores: (batch, windows, filters), lost. As `max` would, but in passes that vectorise.
    """
    best = scores.amax(dim=1)
    windows = scores.shape[1]
    to_the_end = torch.arange(windows, 0, -1, dtype=scores.dtype)[:, None]
    after = scores.eq_(best[:, None, :]).mul_(to_the_end).amax(dim=1)
    return best, (windows - after).long().clamp_(max=windows - 1)  # NaN equals nothing


def gradients_at_tokens(
    weights: Sequence[Tensor], gradients: Sequence[Tensor], winners: Sequence[Tensor], length: int
) -> Tensor:
    """Return the gradient at each token, (batch, length, dim), from those of the best scores.

    It sums, over the filters whose winning window covers the token, the score's gradient times
    the filter's column there. gradients, winners: (batch, filters) of each width, the latter as
    `winning_windows` gives them.
    """
    columns = torch.cat([weight.transpose(1, 2).flatten(0, 1) for weight in weights])
    places, shares = [], []
    for weight, gradient, winner in zip(weights, gradients, winners, strict=True):
        width = weight.shape[2]
        places.append((winner[:, :, None] + torch.arange(width)).flatten(1))
        shares.append(gradient[:, :, None].expand(-1, -1, width).flatten(1))
    place = torch.cat(places, dim=1)  # (batch, columns), which token each column meets
    batch, padded = len(place), max(length, int(place.max()) + 1)
    # NumPy sorts small integers by their digits, several times as fast as by comparing them.
    small = place.numpy().astype(np.min_scalar_type(padded))
    order = torch.from_numpy(small.argsort(axis=1, kind="stable"))
    tokens = place + padded * torch.arange(batch)[:, None]
    columns_of = torch.bincount(tokens.flatten(), minlength=batch * padded)
    bags = F.embedding_bag(
        order.flatten(),
        columns,
        offsets=columns_of.cumsum(0) - columns_of,
        mode="sum",
        per_sample_weights=torch.cat(shares, dim=1).gather(1, order).flatten(),
    )
    return bags.view(batch, padded, -1)[:, :length]
