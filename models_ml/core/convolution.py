"""The best window of each filter, computed over the few word types of a batch.

With frozen vectors a convolution is a table look-up: a word type meets each offset of each filter
once, however often it occurs, and a window's score is the sum of its words' entries. The maximum
has one winner, so the gradient of a filter offset is the sum of the winners' word vectors, each
weighted by its document's gradient. Both sums are bags of table rows (`embedding_bag`).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's own pages use


def valid_windows(lengths: Tensor, *, width: int, windows: int) -> Tensor:
    """Return which windows exist, (batch, windows) bool.

    No window runs past a document's end, but a document shorter than the width has one.
    """
    last = (lengths - width).clamp(min=0)
    return torch.arange(windows) <= last[:, None]


def best_windows(weight: Tensor, matrix: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return each filter's highest window score without bias, shape (batch, filters).

    weight: (filters, dim, width), the only input that receives a gradient.
    matrix: (1 + types, dim), row 0 zero; tokens: (batch, length) rows of it; lengths: (batch,).
    """
    return cast(Tensor, _BestWindows.apply(weight, matrix, tokens, lengths))  # type: ignore[no-untyped-call]


class _BestWindows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, matrix: Tensor, tokens: Tensor, lengths: Tensor
    ) -> Tensor:
        filters, dim, width = weight.shape
        tokens = F.pad(tokens, (0, max(width - tokens.shape[1], 0)))
        types, places = torch.unique(tokens, return_inverse=True)
        by_offset = weight.permute(1, 2, 0).reshape(dim, width * filters)
        table = (matrix[types] @ by_offset).view(-1, filters)  # (types × width, filters)
        entries = places.unfold(1, width, 1) * width + torch.arange(width)
        scores = F.embedding_bag(entries.reshape(-1, width), table, mode="sum")
        scores = scores.view(*entries.shape[:2], filters)  # (batch, windows, filters)
        exists = valid_windows(lengths, width=width, windows=entries.shape[1])
        best, winners = scores.masked_fill_(~exists[:, :, None], -torch.inf).max(dim=1)
        ctx.save_for_backward(matrix, tokens, winners)
        ctx.width = width
        return best

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        matrix, tokens, winners = ctx.saved_tensors
        (batch, filters), width = gradient.shape, ctx.width
        places = winners.T[:, None, :] + torch.arange(width)[:, None]  # (filters, width, batch)
        words = tokens[torch.arange(batch), places].reshape(-1, batch)
        shares = gradient.T[:, None, :].expand(filters, width, batch).reshape(-1, batch)
        bags = F.embedding_bag(words, matrix, mode="sum", per_sample_weights=shares)
        return bags.view(filters, width, -1).transpose(1, 2), None, None, None
