"""How long a file of word vectors takes to read, and how much memory; what workers share of it.

    python benchmarks/load.py [--words 200000] [--gz]

Plain is the loop that most tools have: split each line, a list of floats, one array. Peak memory is
that of a fresh process, less what it held before it read. Then one worker and four map the stored
matrix twice, as a project's two languages, and read all of it; their memory is what the kernel says
(/proc, Linux alone): the private part is what one more worker costs.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal, TextIO, cast

import numpy as np
from side_by_side import in_turns, require_agreement, say_times, unit_rows

from models_ml.core.embeddings import FloatMatrix
from models_ml.core.vector_files import read_vectors

DIM = 300
MEGABYTE = 2**20
PROCESSES = multiprocessing.get_context("spawn")  # a fresh interpreter, nothing inherited


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the reading of word vectors.")
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--gz", action="store_true", help="read a compressed file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("synthetic.vec.gz" if options.gz else "synthetic.vec")
        write_synthetic(path, options.words)
        print(
            f"{options.words} words × {DIM}, {path.stat().st_size / MEGABYTE:.0f} MB {path.suffix}"
        )
        matrix_bytes = options.words * DIM * 4
        peak_bytes = in_processes(1, partial(peak_of_reading, path))[0]["peak"]
        print(f"peak memory of ours: {peak_bytes / matrix_bytes:.2f} × the matrix")

        ours_s, plain_s = in_turns(
            lambda: read_vectors(path), lambda: read_plainly(path), rounds=options.rounds
        )
        say_times("reading", plain_s=plain_s, ours_s=ours_s)
        words, matrix = read_plainly(path)
        ours = read_vectors(path)
        if list(ours.words) != words:
            raise SystemExit("THE TWO WAYS DISAGREE about the words")
        require_agreement("numbers", float(np.abs(ours.matrix - matrix).max()), within=0)

        stored = [Path(folder) / "source.npy", Path(folder) / "target.npy"]
        for each in stored:
            np.save(each, matrix)
        del matrix, ours
        report_sharing(stored)


def open_text(path: Path, mode: Literal["rt", "wt"]) -> TextIO:
    opener = gzip.open if path.suffix == ".gz" else open
    return cast(TextIO, opener(path, mode, encoding="utf-8"))


def write_synthetic(path: Path, words: int) -> None:
    """Write vectors with six digits after the point, as word2vec does."""
    row_of_text = " %.6f" * DIM + "\n"
    with open_text(path, "wt") as file:
        file.write(f"{words} {DIM}\n")
        for i, row in enumerate(unit_rows(words, DIM)):
            file.write(f"word{i}" + row_of_text % tuple(row.tolist()))


def read_plainly(path: Path) -> tuple[list[str], FloatMatrix]:
    """Return the words and vectors of a file, line by line."""
    words, rows = [], []
    with open_text(path, "rt") as file:
        next(file)
        for line in file:
            word, *numbers = line.rstrip().split(" ")
            words.append(word)
            rows.append([float(number) for number in numbers])
    return words, np.array(rows, dtype=np.float32)


def report_sharing(stored: list[Path]) -> None:
    """Print the memory of one worker and of four that map the matrices and read them."""
    total = sum(path.stat().st_size for path in stored) / MEGABYTE
    print(f"two matrices of {total / 2:.0f} MB, mapped and read by")
    for workers in (1, 4):
        all_memory = in_processes(workers, partial(memory_of_mapping, stored))
        mean = {key: sum(m[key] for m in all_memory) / workers / MEGABYTE for key in all_memory[0]}
        print(
            f"  {workers} worker(s): each {mean['Rss']:.0f} MB resident, of which "
            f"{mean['Anonymous']:.1f} MB private ({mean['before']:.1f} MB before it mapped); "
            f"together {mean['Pss'] * workers:.0f} MB"
        )


Memory = dict[str, int]
Measure = Callable[[Barrier], Memory]


def in_processes(count: int, measure: Measure) -> list[Memory]:
    """Return what so many fresh processes measure at the same time."""
    results: SimpleQueue[Memory] = PROCESSES.SimpleQueue()
    barrier = PROCESSES.Barrier(count)
    workers = [
        PROCESSES.Process(target=measure_in_process, args=(measure, barrier, results))
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    measured = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return measured


def measure_in_process(measure: Measure, barrier: Barrier, results: SimpleQueue[Memory]) -> None:
    results.put(measure(barrier))


def peak_of_reading(path: Path, barrier: Barrier) -> Memory:
    before = memory_of_process("status", "VmHWM")
    vectors = read_vectors(path)
    assert len(vectors)
    return {"peak": memory_of_process("status", "VmHWM") - before}


def memory_of_mapping(stored: list[Path], barrier: Barrier) -> Memory:
    before = memory_of_process("smaps_rollup", "Anonymous")
    mapped = [np.load(path, mmap_mode="r") for path in stored]
    checksum = sum(float(matrix.sum()) for matrix in mapped)
    assert np.isfinite(checksum)
    barrier.wait()  # all have read all
    keys = ("Rss", "Pss", "Anonymous")  # resident, its fair share, what no other can have
    memory = {key: memory_of_process("smaps_rollup", key) for key in keys} | {"before": before}
    barrier.wait()  # none ends while another measures
    return memory


def memory_of_process(file: str, key: str) -> int:
    """Return an entry of this process's /proc files, in bytes."""
    for line in Path("/proc/self", file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise ValueError(f"/proc/self/{file} has no {key}")


if __name__ == "__main__":
    main()
