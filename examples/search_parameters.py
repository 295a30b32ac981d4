"""Look for good parameters of a model, and stop when nothing better comes. Needs scikit-learn: pip install scikit-learn

    python examples/search_parameters.py
    python examples/search_parameters.py --candidates 200 --patience 30

``wf.stream()`` yields the score of each candidate as it is known, in the order of the candidates, so where the search
stops doesn't depend on how many workers there are. Leaving the loop stops the run, and what is under way in workers.

The program ends by doing the same with joblib's generator and comparing the times; both stop at the same candidate.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from graflow_fast import task, workflow

Candidate = dict[str, float]
SAMPLES = 600  # of the 1797 pictures of digits


def candidates_of(count: int, seed: int) -> list[Candidate]:
    """Return random candidates, the same for each seed."""
    chance = random.Random(seed)
    return [{"C": 10 ** chance.uniform(-2, 3), "gamma": 10 ** chance.uniform(-6, -1)} for _ in range(count)]


def score_of(candidate: Candidate, pictures: Any, digits: Any) -> float:
    """Return the mean accuracy in three folds."""
    return float(cross_val_score(SVC(**candidate), pictures, digits, cv=3).mean())


def best_of(candidates: list[Candidate], scores: Iterable[float], patience: int) -> tuple[Candidate, float, int]:
    """Take scores until ``patience`` in a row were no better; return the best, and how many were taken."""
    best, at, taken = -1.0, 0, 0
    for number, score in enumerate(scores):
        taken = number + 1
        if score > best:
            best, at = score, number
        elif number - at >= patience:
            break
    return candidates[at], best, taken


# --- the workflow


def search(candidates: list[Candidate], patience: int, **options: Any) -> tuple[Candidate, float, int]:
    """Run it; ``options`` are those of ``stream``."""
    pictures, digits = load_digits(return_X_y=True)
    with workflow("search") as wf:

        @task
        def score(candidate: Candidate, pictures: Any, digits: Any) -> float:
            return score_of(candidate, pictures, digits)

        score(pictures=pictures[:SAMPLES], digits=digits[:SAMPLES]).map(candidates)
        with closing(wf.stream(**options)) as scores:
            return best_of(candidates, scores, patience)


# --- the plain way


def the_plain_way(candidates: list[Candidate], patience: int) -> tuple[Candidate, float, int]:
    pictures, digits = load_digits(return_X_y=True)
    pool = Parallel(n_jobs=-1, return_as="generator")
    calls = (delayed(score_of)(candidate, pictures[:SAMPLES], digits[:SAMPLES]) for candidate in candidates)
    with warnings.catch_warnings(), closing(pool(calls)) as scores:
        warnings.simplefilter("ignore", UserWarning)  # joblib warns that it was stopped
        return best_of(candidates, scores, patience)


# --- the program


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for good parameters of a model.")
    parser.add_argument("--candidates", type=int, default=100, help="how many there are at most; default: 100")
    parser.add_argument("--patience", type=int, default=20, help="stop after so many that are no better; default: 20")
    parser.add_argument("--seed", type=int, default=1, help="of the candidates; default: 1")
    arguments = parser.parse_args()
    candidates = candidates_of(arguments.candidates, arguments.seed)
    expected, plain = timed(lambda: the_plain_way(candidates, arguments.patience))
    found, ours = timed(lambda: search(candidates, arguments.patience))
    _, again = timed(lambda: search(candidates, arguments.patience))
    candidate, score, taken = found
    print(f"{score:.1%} with C={candidate['C']:.3g}, gamma={candidate['gamma']:.3g}")
    print(f"stopped after {taken} of {len(candidates)} candidates")
    print(f"graflow_fast {ours:.2f} s, joblib {plain:.2f} s: ratio {ours / plain:.2f}")
    print(f"again, with warm workers: {again:.2f} s: ratio {again / plain:.2f}")
    return 0 if found == expected else 1


if __name__ == "__main__":
    sys.exit(main())
