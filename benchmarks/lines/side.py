"""Run one measurement on the line of this Python. See `benchmarks.lines`.

Run: python -m benchmarks.lines.side run WORK
     python -m benchmarks.lines.side training PRESET SECONDS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def run(work: str) -> dict[str, float]:
    """Run the pipeline on the digits, and return seconds and peak mebibytes."""
    command = [sys.executable, "local_runner.py", "--dataset", "digits", "--work", work]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"benchmark: the run ended with {os.waitstatus_to_exitcode(status)}: see {work}/runs")
    return {"seconds": time.perf_counter() - begin, "mebibytes": usage.ru_maxrss / 1024}


def training(preset: str, seconds: str) -> dict[str, float]:
    """Train a preset's model on noise for the given seconds, and return images per second and peak mebibytes."""
    from benchmarks.ingestion.side import peak_mebibytes
    from benchmarks.throughput import sides
    from pipeline.config.loading import build_config, load_values, preset_path

    measure = sides(build_config(load_values(preset_path(preset))).trainer())["training loop"]
    return {"images": measure(float(seconds)), "mebibytes": peak_mebibytes()}


if __name__ == "__main__":
    found = {"run": run, "training": training}[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the threads of libraries would take seconds to stop
