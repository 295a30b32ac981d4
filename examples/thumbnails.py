"""Make a thumbnail of every picture in a folder, on all cores. Needs Pillow: pip install pillow

    python examples/thumbnails.py                      # on pictures that it paints itself
    python examples/thumbnails.py pictures thumbnails  # from a folder into another one

    find >> shrink.map() >> report

A picture that can't be read costs nothing but itself: its error stands in its place, and the report names it. The
program ends by doing the same with ``ProcessPoolExecutor`` and comparing the times.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from graflow_fast import task, workflow

ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}
LARGEST = (160, 160)


def thumbnail(picture: Path, target: Path) -> tuple[str, tuple[int, int]]:
    """Write the small picture, and return its name and size."""
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail(LARGEST)
        small.save(target / f"{picture.stem}.jpg", quality=85)
        return picture.name, small.size


def pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


# --- the workflow


def make_thumbnails(folder: Path, target: Path, **options: Any) -> dict[str, Any]:
    """Run it; ``options`` are those of ``execute``."""
    with workflow("thumbnails") as wf:

        @task
        def find(folder: Path) -> list[Path]:
            return pictures_in(folder)

        @task(max_retries=1)
        def shrink(picture: Path, target: Path) -> tuple[str, tuple[int, int]]:
            return thumbnail(picture, target)  # `target` comes from the channel, `picture` is an item

        @task
        def report(find: list[Path], outcomes: list[Any]) -> dict[str, Any]:
            pairs = list(zip(find, outcomes, strict=True))
            return {
                "made": [outcome for _, outcome in pairs if not isinstance(outcome, Exception)],
                "failed": [
                    (path.name, type(outcome).__name__) for path, outcome in pairs if isinstance(outcome, Exception)
                ],
            }

        find >> shrink.map().with_execution(policy="best_effort") >> report
        outcome: dict[str, Any] = wf.execute(initial_channel={"folder": folder, "target": target}, **options)
        return outcome


# --- the plain way


def attempt(picture: Path, target: Path) -> Any:
    try:
        return thumbnail(picture, target)
    except Exception as error:
        return error


def the_plain_way(folder: Path, target: Path) -> int:
    pictures = pictures_in(folder)
    with ProcessPoolExecutor() as pool:
        outcomes = list(pool.map(attempt, pictures, [target] * len(pictures)))
    return sum(not isinstance(outcome, Exception) for outcome in outcomes)


# --- the program


def paint(folder: Path, count: int) -> None:
    """Fill the folder with pictures to work on, and a file that only pretends to be one."""
    for number in range(count):
        chance = random.Random(number)
        image = Image.new("RGB", (1600, 1200), tuple(chance.randrange(256) for _ in range(3)))
        draw = ImageDraw.Draw(image)
        for _ in range(60):
            x, y, size = chance.randrange(1600), chance.randrange(1200), chance.randrange(20, 300)
            draw.ellipse((x, y, x + size, y + size), fill=tuple(chance.randrange(256) for _ in range(3)))
        image.save(folder / f"picture_{number:03}.jpg", quality=90)
    (folder / "broken.png").write_bytes(b"no picture")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a thumbnail of every picture in a folder.")
    parser.add_argument("folder", nargs="?", type=Path, help="default: a new one with painted pictures")
    parser.add_argument("target", nargs="?", type=Path, help="default: a new folder")
    parser.add_argument("--count", type=int, default=60, help="how many pictures to paint; default: 60")
    arguments = parser.parse_args()
    logging.getLogger("graflow_fast").setLevel(logging.ERROR)  # the report names what failed
    with tempfile.TemporaryDirectory() as scratch:
        folder, target = arguments.folder, arguments.target or Path(scratch, "thumbnails")
        if folder is None:
            folder = Path(scratch, "pictures")
            folder.mkdir()
            paint(folder, arguments.count)
        target.mkdir(parents=True, exist_ok=True)
        count, plain = timed(lambda: the_plain_way(folder, target))
        outcome, ours = timed(lambda: make_thumbnails(folder, target))
        _, again = timed(lambda: make_thumbnails(folder, target))
    print(f"{len(outcome['made'])} thumbnails, at most {LARGEST[0]} × {LARGEST[1]}")
    for name, reason in outcome["failed"]:
        print(f"left out {name}: {reason}")
    print(f"graflow_fast {ours:.2f} s, ProcessPoolExecutor {plain:.2f} s: ratio {ours / plain:.2f}")
    print(f"again, with warm workers: {again:.2f} s: ratio {again / plain:.2f}")
    return 0 if count == len(outcome["made"]) else 1


if __name__ == "__main__":
    sys.exit(main())
