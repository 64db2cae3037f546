"""Ctrl-C ends a run at once, even where Python does not hear it."""

import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import ctypes, sys, time
from pipeline import signals
signals.GRACE_SECONDS = 0.5
def last_words():
    print("last words", flush=True)
with signals.interruptible(last_words):
    print("ready", flush=True)
    try:
        if sys.argv[1] == "deaf":  # in C code that no signal gets out of: a mutex that this very thread holds
            mutex = ctypes.create_string_buffer(64)
            for _ in range(2):
                ctypes.CDLL(None).pthread_mutex_lock(mutex)
        time.sleep(30)
    except KeyboardInterrupt:
        print("in order", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("hearing", "words", "status"), [("hears", "in order\n", 0), ("deaf", "last words\n", 130)])
def test_signals(number, hearing, words, status):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, hearing], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (words, status)
