"""How often the gates accept a model that is as good: the same pictures and configuration, trained with one seed after another.

Each run is judged against the last blessed model, as a retraining is. A refusal here is a false alarm.

Run: python -m benchmarks.gate [--preset digits] [--images DIR] [--seeds 20] [--set FIELD=VALUE ...]
"""

from __future__ import annotations

import argparse
import tempfile

from benchmarks.runs import run


def main() -> None:
    """Print a line for each seed, then how many were accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--images", metavar="DIR", help="A folder of pictures; by default the data set of the preset's name.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="FIELD=VALUE")
    arguments = parser.parse_args()
    accepted = 0
    with tempfile.TemporaryDirectory() as work:
        for seed in range(arguments.seeds + 1):
            result = run(arguments.preset, arguments.images, [*arguments.overrides, f"training.seed={seed}"], work)
            verdict, generated = result["verdict"], result["verdict"]["quality"]["generated"]
            figures = f"ELBO {verdict['figures']['elbo']:.2f}, Frechet distance {generated['frechet_distance']:.2f}"
            print(f"seed {seed}: {verdict['outcome']}, {figures}; {'; '.join(verdict['reasons'])}", flush=True)
            accepted += seed > 0 and result["status"] == 0
    print(f"accepted: {accepted} of {arguments.seeds}")


if __name__ == "__main__":
    main()
