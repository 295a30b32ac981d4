"""Factor a large matrix in blocks: A = L Lᵀ, with numpy arrays passed between tasks. Needs numpy.

    python examples/cholesky.py                        # 2000 × 2000 in blocks of 250
    python examples/cholesky.py --size 4000 --block 500

Every block of every step is a task. Under ``schedule="parallel"`` each runs as soon as the blocks that it needs are
there: the second step begins before the first has ended everywhere. Blocks of 256 KiB and more cross in shared memory.

    corner(k)      L[k,k] of A[k,k]                     after the updates of that block
    below(i, k)    L[i,k] of A[i,k] and L[k,k]
    update(i,j,k)  A[i,j] - L[i,k] L[j,k]ᵀ              for all i ≥ j > k

The program ends by doing the same with ``ProcessPoolExecutor``, step by step, and comparing the times and the results.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from graflow_fast import TaskExecutionContext, task, workflow

Array = np.ndarray[Any, Any]
Blocks = dict[tuple[int, int], Array]


def corner_of(block: Array) -> Array:
    return np.linalg.cholesky(block)


def below_of(block: Array, corner: Array) -> Array:
    return np.linalg.solve(corner, block.T).T


def updated(block: Array, left: Array, right: Array) -> Array:
    return block - left @ right.T  # a new array: those that came are shared, and can't be written


def blocks_of(matrix: Array, size: int) -> Blocks:
    """Return the blocks on the diagonal and below."""
    count = len(matrix) // size
    return {
        (i, j): np.ascontiguousarray(matrix[i * size : (i + 1) * size, j * size : (j + 1) * size])
        for i in range(count)
        for j in range(i + 1)
    }


def matrix_of(blocks: Blocks) -> Array:
    """Put the blocks of L together."""
    count = max(blocks)[0] + 1
    empty = np.zeros_like(blocks[0, 0])
    return np.block([[blocks.get((i, j), empty) for j in range(count)] for i in range(count)])


# --- the workflow


def factor(blocks: Blocks, **options: Any) -> Blocks:
    """Run it; ``options`` are those of ``execute``."""
    with workflow("cholesky", schedule="parallel") as wf:

        @task
        def block(value: Array) -> Array:
            return value

        @task(inject_context=True)
        def step(ctx: TaskExecutionContext, work: Callable[..., Array], needs: list[str]) -> Array:
            return work(*(ctx.get_result(name) for name in needs))

        latest = {at: block(task_id=f"block{at}", value=value) for at, value in blocks.items()}

        def then(at: tuple[int, int], name: str, work: Callable[..., Array], *others: tuple[int, int]) -> None:
            """Let a step take what is the latest of these blocks, and be the latest of the first."""
            sources = [latest[needed] for needed in (at, *others)]
            made = step(task_id=name, work=work, needs=[source.task_id for source in sources])
            for source in dict.fromkeys(sources):
                source >> made
            latest[at] = made

        count = max(blocks)[0] + 1
        for k in range(count):
            then((k, k), f"corner({k})", corner_of)
            for i in range(k + 1, count):
                then((i, k), f"below({i}, {k})", below_of, (k, k))
            for i in range(k + 1, count):
                for j in range(k + 1, i + 1):
                    then((i, j), f"update({i}, {j}, {k})", updated, (i, k), (j, k))
        _, context = wf.execute(ret_context=True, **options)
        return {at: context.get_result(made.task_id) for at, made in latest.items()}


# --- the plain way


def the_plain_way(blocks: Blocks) -> Blocks:
    done, count = dict(blocks), max(blocks)[0] + 1
    with ProcessPoolExecutor() as pool:
        for k in range(count):
            done[k, k] = corner_of(done[k, k])
            rows = range(k + 1, count)
            for i, made in zip(
                rows, pool.map(below_of, [done[i, k] for i in rows], [done[k, k]] * len(rows)), strict=True
            ):
                done[i, k] = made
            rest = [(i, j) for i in rows for j in range(k + 1, i + 1)]
            lefts, rights = [done[i, k] for i, _ in rest], [done[j, k] for _, j in rest]
            for at, made in zip(rest, pool.map(updated, [done[at] for at in rest], lefts, rights), strict=True):
                done[at] = made
    return done


# --- the program


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Factor a positive definite matrix in blocks.")
    parser.add_argument("--size", type=int, default=2000, help="rows of the matrix; default: 2000")
    parser.add_argument("--block", type=int, default=250, help="rows of a block; default: 250")
    arguments = parser.parse_args()
    if arguments.size % arguments.block:
        parser.error("the size has to be a multiple of the block")
    numbers = np.random.default_rng(1).standard_normal((arguments.size, arguments.size))
    matrix: Array = numbers @ numbers.T + arguments.size * np.eye(arguments.size)
    blocks = blocks_of(matrix, arguments.block)
    expected, plain = timed(lambda: the_plain_way(blocks))
    made, ours = timed(lambda: factor(blocks))
    _, again = timed(lambda: factor(blocks))
    lower, same = matrix_of(made), all(np.allclose(made[at], expected[at]) for at in blocks)
    error = float(np.abs(lower @ lower.T - matrix).max() / np.abs(matrix).max())
    print(f"{arguments.size} × {arguments.size} in {len(blocks)} blocks, largest error {error:.0e}")
    print(f"graflow_fast {ours:.2f} s, ProcessPoolExecutor {plain:.2f} s: ratio {ours / plain:.2f}")
    print(f"again, with warm workers: {again:.2f} s: ratio {again / plain:.2f}")
    return 0 if same and error < 1e-10 else 1


if __name__ == "__main__":
    sys.exit(main())
