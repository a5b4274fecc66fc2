"""The subcommands that look at vectors; they do not need torch."""

from __future__ import annotations

from argparse import Namespace

from models_ml.command_line.terminal import Progress, print_json, print_table
from models_ml.core.alignment import write_aligned_vectors
from models_ml.core.dataset import load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.neighbours import nearest


def neighbours(options: Namespace) -> None:
    """Print the nearest words of a source word, per language."""
    with Progress() as progress:
        embedding = load_dataset(options.folder, progress=progress).embedding
    keyword = embedding.word_id(options.word, Side.SOURCE)
    found = {
        side.value: [
            {"word": embedding.word(neighbour.word_id)[1], "cosine": neighbour.cosine}
            for neighbour in nearest(embedding, [keyword], k=options.k, side=side)[0]
        ]
        for side in Side
    }
    if options.json:
        print_json(found)
        return
    rows = [(side, n["word"], f"{n['cosine']:.3f}") for side, near in found.items() for n in near]
    print_table(("language", "word", "cosine"), rows)


def vectors(options: Namespace) -> None:
    """Write the vectors of a dataset folder, made from its texts and dictionary."""
    write_aligned_vectors(
        options.folder,
        dim=options.dim,
        pairs=options.pairs,
        seed=options.seed,
        window=options.window,
    )


COMMANDS = {"neighbours": neighbours, "vectors": vectors}
