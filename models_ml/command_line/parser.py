"""The arguments of the subcommands; names of models, methods and arms are checked by the core."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

KIND = "cnn|dan|logistic"


def build_parser() -> ArgumentParser:
    """Return the parser of `python -m models_ml`.

    Its result names the subcommand, and the module of this package that holds it.
    """
    parser = ArgumentParser(
        prog="python -m models_ml",
        description="Train, rank, ask, refine and evaluate on a dataset folder.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str, module: str = "learning") -> ArgumentParser:  # noqa: A002
        added: ArgumentParser = commands.add_parser(
            name, help=help, description=f"{help.capitalize()}."
        )
        added.add_argument("folder", metavar="DIR", type=Path, help="dataset folder")
        added.set_defaults(module=module)
        return added

    _train_arguments(command("train", "train a classifier on the source documents and save it"))
    _rank_arguments(command("rank", "list the words that a classifier depends on most"))
    _neighbours_arguments(
        command("neighbours", "list a source word's neighbours in both languages", "vectors")
    )
    _refine_arguments(command("refine", "move the vectors by annotators' feedback and write them"))
    _evaluate_arguments(command("evaluate", "test classifiers retrained with several seeds"))
    _active_arguments(command("active", "list the pool's documents that are worth a label most"))
    _experiment_arguments(
        command("experiment", "compare ways to spend a simulated annotator's hour")
    )
    _vectors_arguments(
        command("vectors", "build a folder's vectors from its texts and dictionary.tsv", "vectors")
    )
    return parser


def _train_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar=KIND, default="cnn", help="kind of classifier (%(default)s)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of weights and order (%(default)s)"
    )
    parser.add_argument(
        "--out", metavar="FILE.safetensors", type=Path, required=True, help="to write"
    )


def _rank_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="FILE.safetensors", type=Path, required=True, help="from `train`"
    )
    parser.add_argument(
        "--top", metavar="N", type=count, default=50, help="how many words (%(default)s)"
    )
    _json_argument(parser)


def _neighbours_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--word", metavar="W", required=True, help="source word")
    parser.add_argument(
        "-k", metavar="K", type=count, default=5, help="how many per language (%(default)s)"
    )
    _json_argument(parser)


def _refine_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--feedback",
        metavar="FILE.csv",
        type=Path,
        required=True,
        help="columns keyword, timestamp, pos1, pos2, neg1, neg2, new1, new2",
    )
    _refinement_arguments(parser)
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="for source.vec and target.vec"
    )


def _evaluate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar=KIND, default="cnn", help="kind of classifier (%(default)s)"
    )
    parser.add_argument(
        "--vectors",
        metavar="FOLDER",
        type=Path,
        help="use its source.vec and target.vec exactly as they are, not those of DIR",
    )
    _seeds_arguments(parser)
    _json_argument(parser)


def _active_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="FILE.safetensors", type=Path, help="from `train`; else a cnn is trained"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of that cnn and of chance (%(default)s)"
    )
    parser.add_argument(
        "--count", metavar="N", type=count, default=50, help="how many documents (%(default)s)"
    )
    _choice_arguments(parser)
    _json_argument(parser)


def _experiment_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--arms",
        metavar="A,B",
        default="base,active,clime,active_clime",
        help="what to compare (%(default)s); besides, the controls anchors and lengths",
    )
    parser.add_argument(
        "--model", metavar=KIND, default="cnn", help="kind of classifier (%(default)s)"
    )
    _refinement_arguments(parser)
    parser.add_argument(
        "--keywords", metavar="N", type=count, default=50, help="of a session (%(default)s)"
    )
    parser.add_argument(
        "--neighbours", metavar="K", type=count, default=5, help="per language (%(default)s)"
    )
    parser.add_argument(
        "--documents", metavar="N", type=count, default=50, help="of a session (%(default)s)"
    )
    _choice_arguments(parser)
    parser.add_argument(
        "--noise",
        metavar="P",
        type=float,
        default=0.0,
        help="probability of a wrong answer (%(default)s)",
    )
    parser.add_argument(
        "--annotator-seed",
        metavar="N",
        type=int,
        default=0,
        help="of the wrong answers and of documents chosen at random (%(default)s)",
    )
    _seeds_arguments(parser)
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="for report.json and report.html"
    )


def _vectors_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dim", metavar="N", type=count, default=50, help="dimensions (%(default)s)"
    )
    parser.add_argument(
        "--pairs",
        metavar="N",
        type=count,
        default=100,
        help="dictionary pairs that align (%(default)s)",
    )
    parser.add_argument(
        "--window", metavar="N", type=count, default=5, help="tokens to a side (%(default)s)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the pairs drawn (%(default)s)"
    )


def _refinement_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        metavar="NAME",
        default="realign_spectral",
        help="realign_spectral, realign, spectral, code_switch or paper (%(default)s)",
    )
    parser.add_argument(
        "--learning-rate", metavar="X", type=float, default=0.001, help="of Adam (%(default)s)"
    )
    parser.add_argument(
        "--iterations", metavar="N", type=int, default=10_000, help="of Adam (%(default)s)"
    )
    parser.add_argument(
        "--regularization",
        metavar="λ",
        type=float,
        help="how strongly vectors are held where they are (the method's own: 1 for paper, 0.55 "
        "for spectral, 0.8 for realign_spectral, for realign by held-out judgements)",
    )


def _choice_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--strategy",
        metavar="entropy|margin|random",
        default="entropy",
        help="how documents are chosen (%(default)s)",
    )
    parser.add_argument(
        "--diverse", action="store_true", help="choose documents that are unlike one another"
    )


def _seeds_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--seeds", metavar="N", type=count, default=10, help="how many classifiers (%(default)s)"
    )
    parser.add_argument(
        "--threads", metavar="N", type=count, default=1, help="seeds at a time (%(default)s)"
    )


def _json_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
