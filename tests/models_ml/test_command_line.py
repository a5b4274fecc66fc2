import json
import os
import shutil
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from models_ml.command_line.main import main
from models_ml.command_line.terminal import Progress
from models_ml.core.dataset import load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.vector_files import read_vectors, write_vectors

REPOSITORY = Path(__file__).parents[2]
HEADER = "keyword,timestamp,pos1,pos2,neg1,neg2,new1,new2\n"
FEEDBACK = HEADER + """fever,2020-01-01,"['medicine']","['homa']",[],"['mvua']",[],[]\n"""


def start(*arguments: object, **options: object) -> subprocess.Popen:
    """Start `python -m models_ml` as a user would, with its output in pipes."""
    command = [sys.executable, "-m", "models_ml", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


LIST_IMPORTS = """
import runpy, sys
try:
    runpy.run_module("models_ml", run_name="__main__", alter_sys=True)
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported_modules(*arguments: object) -> set[str]:
    """Return the names of all modules that a subcommand imports."""
    command = [sys.executable, "-c", LIST_IMPORTS, *map(str, arguments)]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(run.stderr.splitlines()[-1].split())


@pytest.fixture
def run(capsys):
    """Run a subcommand in this process; return its parsed JSON output."""

    def run_json(*arguments: object) -> object:
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run_json


@pytest.fixture
def model(tiny_dataset_folder, tmp_path) -> Path:
    path = tmp_path / "models" / "logistic.safetensors"
    main(["train", str(tiny_dataset_folder), "--model", "logistic", "--out", str(path)])
    return path


def test_an_experiment_imports_no_django(tiny_dataset_folder, tmp_path):
    modules = imported_modules(
        "experiment",
        tiny_dataset_folder,
        "--seeds",
        1,
        "--iterations",
        1,
        "--out",
        tmp_path / "out",
    )
    assert {"models_ml", "torch", "numpy"} <= modules
    assert "django" not in modules


def test_neighbours_import_no_torch(tiny_dataset_folder):
    modules = imported_modules("neighbours", tiny_dataset_folder, "--word", "fever")
    assert "numpy" in modules
    assert not {"torch", "django"} & modules


def test_json_is_alone_on_stdout_and_progress_on_stderr(tiny_dataset_folder):
    process = start("neighbours", tiny_dataset_folder, "--word", "fever", "-k", 2, "--json")
    out, err = process.communicate()
    assert process.returncode == 0
    found = json.loads(out)
    assert {side: len(words) for side, words in found.items()} == {"source": 2, "target": 2}
    assert set(found["source"][0]) == {"word", "cosine"}
    assert "reading target.vec" in err


def test_neighbours_come_nearest_first_and_never_the_word_itself(tiny_dataset_folder, run):
    found = run("neighbours", tiny_dataset_folder, "--word", "fever", "-k", 9)
    for words in found.values():
        cosines = [neighbour["cosine"] for neighbour in words]
        assert cosines == sorted(cosines, reverse=True)
    assert "fever" not in [neighbour["word"] for neighbour in found["source"]]


@pytest.mark.parametrize("kind", ["cnn", "dan", "logistic"])
def test_training_with_the_same_seed_writes_the_same_bytes(kind, tiny_dataset_folder, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        arguments = ["--model", kind, "--seed", str(seed), "--out", str(tmp_path / name)]
        assert main(["train", str(tiny_dataset_folder), *arguments]) == 0
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other


def test_rank_lists_the_most_salient_words_first(tiny_dataset_folder, model, run):
    ranked = run("rank", tiny_dataset_folder, "--model", model, "--top", 4)
    assert len(ranked) == 4
    scores = [keyword["salience"] for keyword in ranked]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0
    vocabulary = load_dataset(tiny_dataset_folder).embedding.source.index
    assert all(keyword["word"] in vocabulary for keyword in ranked)


def test_active_lists_the_most_uncertain_documents_first(tiny_dataset_folder, model, run):
    chosen = run("active", tiny_dataset_folder, "--model", model, "--count", 2)
    everything = run("active", tiny_dataset_folder, "--model", model)
    assert sorted(document["id"] for document in everything) == [0, 1, 2]
    entropies = [document["entropy"] for document in everything]
    assert entropies == sorted(entropies, reverse=True)
    assert chosen == everything[:2]


def test_active_chooses_as_it_is_told(tiny_dataset_folder, model, run):
    arguments = ["active", tiny_dataset_folder, "--model", model]
    for options in (["--strategy", "margin"], ["--strategy", "random"], ["--diverse"]):
        assert sorted(d["id"] for d in run(*arguments, *options)) == [0, 1, 2]
    drawn = [
        [d["id"] for d in run(*arguments, "--strategy", "random", "--seed", seed)]
        for seed in range(5)
    ]
    assert len(set(map(tuple, drawn))) > 1


def test_active_trains_a_classifier_where_it_is_given_none(tiny_dataset_folder, run):
    assert len(run("active", tiny_dataset_folder, "--seed", 1)) == 3


def test_refine_writes_all_words_and_moves_those_of_the_feedback(tiny_dataset_folder, tmp_path):
    feedback, out = tmp_path / "feedback.csv", tmp_path / "refined"
    feedback.write_text(FEEDBACK)
    arguments = ["--feedback", str(feedback), "--iterations", "5", "--out", str(out)]
    assert main(["refine", str(tiny_dataset_folder), *arguments]) == 0
    embedding = load_dataset(tiny_dataset_folder).embedding
    moved = set()
    for side in Side:
        refined, base = read_vectors(out / f"{side}.vec"), embedding.vectors(side)
        assert refined.words == base.words
        changed = (refined.matrix != base.matrix).any(axis=1)
        moved |= {word for word, is_moved in zip(base.words, changed, strict=True) if is_moved}
    assert moved == {"fever", "medicine", "homa", "mvua"}


def test_evaluate_reports_every_seed_and_their_summary(tiny_dataset_folder, run):
    result = run("evaluate", tiny_dataset_folder, "--seeds", 3, "--model", "dan")
    assert set(result) == {"accuracies", "mean", "std", "interval"}
    assert len(result["accuracies"]) == 3
    assert result["mean"] == pytest.approx(np.mean(result["accuracies"]))


def test_evaluate_takes_the_vectors_of_a_folder_as_they_are(tiny_dataset_folder, run):
    # Topics are at ±1, but the target's words all lie far off: as they are, both test documents
    # get the same class, which is right for one of them; centred, they are told apart.
    for side, shift in (("source", 0), ("target", 100)):
        path = tiny_dataset_folder / f"{side}.vec"
        base = read_vectors(path)
        topics = np.sign(base.matrix[:, :1])
        write_vectors(path, base.words, np.hstack([topics + shift, np.zeros_like(topics)]))
    arguments = ["evaluate", tiny_dataset_folder, "--seeds", 4, "--model", "logistic"]
    assert set(run(*arguments)["accuracies"]) != {0.5}
    assert set(run(*arguments, "--vectors", tiny_dataset_folder)["accuracies"]) == {0.5}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["neighbours", "--word", "fever", "-k", "1"], ["language", "word", "cosine"]),
        (["active"], ["id", "entropy"]),
        (["evaluate", "--seeds", "1"], ["seed", "accuracy"]),
    ],
)
def test_without_json_a_table_is_printed(command, expected, tiny_dataset_folder, capsys):
    assert main([command[0], str(tiny_dataset_folder), *command[1:]]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == expected
    assert rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbours", "{dir}", "--word", "zebra"], "'zebra' is not in the source vocabulary"),
        (["neighbours", "{dir}/nowhere", "--word", "fever"], "project.toml"),
        (["rank", "{dir}", "--model", "{dir}/train.jsonl"], "not a saved classifier"),
        (["rank", "{dir}", "--model", "{dir}/nowhere"], "No such file"),
        (["evaluate", "{dir}", "--model", "svm"], "'svm' is none of cnn, dan, logistic"),
        (["experiment", "{dir}", "--arms", "magic", "--out", "{dir}"], "magic"),
        (["experiment", "{dir}", "--strategy", "magic", "--out", "{dir}"], "'magic'; there are"),
        (["active", "{dir}", "--strategy", "magic"], "no strategy 'magic'"),
        (["experiment", "{dir}", "--method", "magic", "--out", "{dir}"], "'magic' is none of"),
        (["experiment", "{dir}", "--noise", "2", "--out", "{dir}"], "noise"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_status_2(
    arguments, message, tiny_dataset_folder, capsys
):
    filled = [argument.format(dir=tiny_dataset_folder) for argument in arguments]
    assert main(filled) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert message in captured.err.splitlines()[-1]


def test_a_bad_argument_ends_with_status_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["active", "somewhere", "--count", "0"])
    assert stopped.value.code == 2
    assert "'0' is not a whole number of at least 1" in capsys.readouterr().err


def test_a_reader_that_leaves_early_causes_no_traceback(tiny_dataset_folder):
    process = start("neighbours", tiny_dataset_folder, "--word", "fever")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert "Traceback" not in err
    assert "Exception" not in err


def test_an_interrupt_causes_no_traceback(tiny_dataset_folder, tmp_path):
    feedback = tmp_path / "feedback.csv"
    feedback.write_text(FEEDBACK)
    process = start(
        *("refine", tiny_dataset_folder, "--feedback", feedback),
        *("--iterations", 10**9, "--out", tmp_path / "out"),
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    for line in process.stderr:
        if line.startswith("refining"):
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert not (tmp_path / "out").exists()


class Terminal(StringIO):
    """A stream that says it is a terminal, or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_a_terminal_shows_one_bar_and_is_left_clean(monkeypatch):
    terminal = Terminal(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress() as progress:
        progress("reading", 0, 4)
        progress("training", 12, 24)
    clear = "\r\x1b[K"
    assert terminal.getvalue().split(clear) == [
        "",
        "░" * 24 + " reading",
        "█" * 12 + "░" * 12 + " training",
        "",
    ]


def test_a_log_gets_a_line_when_something_new_begins(monkeypatch):
    log = Terminal(is_terminal=False)
    monkeypatch.setattr(sys, "stderr", log)
    with Progress() as progress:
        for done in range(100):
            progress("training", done, 100)
        progress("refining", 0, 0)
    assert log.getvalue() == "training\nrefining\n"


def test_vectors_are_built_by_the_command_with_its_defaults(tmp_path):
    demo, folder = REPOSITORY / "demo", tmp_path / "demo"
    shutil.copytree(demo, folder, ignore=shutil.ignore_patterns("*.vec.gz"))
    assert main(["vectors", str(folder)]) == 0
    for name in ("source", "target"):
        made, kept = (read_vectors(where / f"{name}.vec.gz") for where in (folder, demo))
        assert made.words == kept.words
        np.testing.assert_allclose(made.matrix, kept.matrix, atol=1e-3)


def test_vectors_of_a_folder_without_texts_are_refused_by_its_name(tmp_path, capsys):
    assert main(["vectors", str(tmp_path)]) == 2
    assert f"{tmp_path}: holds no source text (train.jsonl)" in capsys.readouterr().err
