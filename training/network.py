"""The encoder in torch, with what is pooled from it: the mean of the middle and of the last layer,
and some learned averages of the last. What was said before a text is attended to, never pooled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from training.encoder import EPSILON, HEADS, INNER, WIDTH, layer_count
from training.framing import END

_FIRST_QUERY: Final = 0.02
_HEAD_WIDTH: Final = WIDTH // HEADS
VERY_NEGATIVE: Final = -1e4
"""Added before a softmax to what is not to be looked at."""


class Layer(nn.Module):
    """One transformer layer, normalised after each half, as BERT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH)
        self.k = nn.Linear(WIDTH, WIDTH)
        self.v = nn.Linear(WIDTH, WIDTH)
        self.ao = nn.Linear(WIDTH, WIDTH)
        self.aln = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.fi = nn.Linear(WIDTH, INNER)
        self.fo = nn.Linear(INNER, WIDTH)
        self.oln = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """[texts, tokens, width] -> the same shape.

        `hidden` [texts, 1, 1, tokens] is 0 for tokens, very negative for what only pads.
        """
        texts, tokens, _ = x.shape

        def heads(projected: Tensor) -> Tensor:
            return projected.view(texts, tokens, HEADS, -1).transpose(1, 2)

        # Written out: torch's fused attention spends half of a training step in its backward pass
        # on a CPU, where texts are short and the plain products are fast.
        scores = (heads(self.q(x)) * _HEAD_WIDTH**-0.5) @ heads(self.k(x)).transpose(-1, -2)
        mixed = (scores + hidden).softmax(dim=-1).to(x.dtype) @ heads(self.v(x))
        x = self.aln(x + self.ao(mixed.transpose(1, 2).reshape(texts, tokens, WIDTH)))
        result: Tensor = self.oln(x + self.fo(functional.gelu(self.fi(x))))
        return result


class Encoder(nn.Module):
    """multilingual-e5-small; the word table stays as it is, so that its 4 bits stay exact."""

    def __init__(self, words: int, *, layers: int, attention_pools: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, WIDTH)
        self.words.weight.requires_grad = False
        self.positions = nn.Parameter(torch.zeros(512, WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.layers = nn.ModuleList([Layer() for _ in range(layers)])
        self.queries = nn.Parameter(torch.randn(attention_pools, WIDTH) * _FIRST_QUERY)
        self.early_layer = layers // 2

    @classmethod
    def load(cls, file: Path, *, attention_pools: int) -> Encoder:
        """The encoder with the weights of a file; queries that it lacks are drawn."""
        weights = load_file(file)
        encoder = cls(
            len(weights["words.weight"]),
            layers=layer_count(weights),
            attention_pools=attention_pools,
        )
        own = {name: value for name, value in weights.items() if not name.startswith("head.")}
        encoder.load_state_dict({"queries": encoder.queries.data, **own})
        return encoder

    @property
    def pooled_width(self) -> int:
        return WIDTH * (2 + len(self.queries))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[texts, tokens] ids, mask True for tokens -> [texts, pooled width]."""
        x = self.norm(self.words(ids) + self.positions[: ids.shape[1]])
        hidden = torch.zeros(mask.shape).masked_fill(~mask, VERY_NEGATIVE)[:, None, None, :]
        early = x
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, hidden)
            if number == self.early_layer:
                early = x
        return pools(early, x, mask & own(ids), self.queries)


def own(ids: Tensor) -> Tensor:
    """[texts, tokens] ids -> True for the text that is judged: from the last END but one on."""
    ends = (ids == END).long()
    before = ends.cumsum(1) - ends
    return before >= (ends.sum(1, keepdim=True) - 1)


def pools(early: Tensor, last: Tensor, mask: Tensor, queries: Tensor) -> Tensor:
    """Mean of the early layer, mean of the last, and one weighted mean of the last per query.

    `mask` [texts, tokens] is True for what is pooled.
    """
    present = mask.unsqueeze(-1).to(last.dtype)
    count = present.sum(1)
    scores = (last @ queries.to(last.dtype).T).float()
    shares = scores.masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(dim=1)
    looked_at = shares.to(last.dtype).transpose(1, 2) @ last
    return torch.cat(
        [
            (early * present).sum(1) / count,
            (last * present).sum(1) / count,
            looked_at.flatten(1),
        ],
        dim=1,
    )
