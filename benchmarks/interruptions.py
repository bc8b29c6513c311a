"""Interruptions: of so many drawn runs that are interrupted and resumed, how many end other than an undisturbed one.

    .venv/bin/python -m benchmarks.interruptions [COMBINATIONS [SEED]]     # 2,000 and 0: about three hours of a core

A run has one to three interruptions, each by SIGTERM, SIGKILL, Ctrl-C or an exception, at any batch and at any point
of it: before, in and after the turns, in a validation, while saving, after the end. Epochs have 1, 2, 3 or 6 batches,
from a data set, worker processes or a stream, on one or two processes; the run ends by max_epochs, max_steps or
max_time, and saves each epoch, every n steps, on an exception, or by three callbacks. The whole checkpoint at the end
is compared (weights, optimizers, counters, random states, counts of hooks), but for the names of files; a finished run
that is started again must train nothing.
"""

import random
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clock import results, write
from tests.support.interruptions import Combination, differs


def kinds(run: Combination) -> list[str]:
    """Return what a combination is made of, one for each dimension."""
    whats = {interruption.way for interruption in run.interruptions}
    wheres = {interruption.hook for interruption in run.interruptions}
    return [
        f"{len(run.interruptions)} interruptions",
        *sorted(whats | wheres),
        run.end,
        f"saved: {run.checkpoints}",
        f"{run.batches} batches an epoch",
        f"validation: {run.validation}",
        f"data: {run.data}",
        f"{run.world_size} processes",
    ]


def main(combinations: str = "2000", seed: str = "0") -> None:
    rng, played, differing = random.Random(int(seed)), Counter[str](), Counter[str]()
    with TemporaryDirectory() as folder:
        for _ in range(int(combinations)):
            run = Combination.draw(rng)
            found = differs(Path(folder), run)
            played.update(["all", *kinds(run)])
            if found:
                differing.update(["all", *kinds(run)])
                print(run, *found[:5], sep="\n    ", flush=True)
    print("| combinations with | played | that differ |", "|---|---|---|", sep="\n")
    rows = [{"with": kind, "played": n, "differing": differing[kind]} for kind, n in played.most_common()]
    for row in rows:
        print(f"| {row['with']} | {row['played']:,} | {row['differing']} |")
    write(results("interruptions"), rows, combinations=int(combinations), seed=int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
