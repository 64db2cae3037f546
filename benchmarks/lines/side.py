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
    """Run the pipeline on the digits, and return seconds, CPU seconds and peak mebibytes."""
    command = [sys.executable, "local_runner.py", "--dataset", "digits", "--work", work]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"benchmark: the run ended with {os.waitstatus_to_exitcode(status)}: see {work}/runs")
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "mebibytes": usage.ru_maxrss / 1024}


def training(preset: str, seconds: str) -> dict[str, float]:
    """Train a preset's model on noise for the given seconds: return (CPU) seconds for a million images, and peak mebibytes."""
    from benchmarks.ingestion.side import peak_mebibytes
    from benchmarks.throughput import sides
    from pipeline.config.loading import build_config, load_values, preset_path

    measure = sides(build_config(load_values(preset_path(preset))).trainer())["training loop"]
    begin, cpu = time.perf_counter(), time.process_time()
    images = measure(float(seconds))
    share = (time.process_time() - cpu) / (time.perf_counter() - begin)  # CPU seconds in a second
    return {"seconds": 1e6 / images, "cpu": 1e6 / images * share, "mebibytes": peak_mebibytes()}


if __name__ == "__main__":
    found = {"run": run, "training": training}[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the threads of libraries would take seconds to stop
