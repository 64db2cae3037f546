"""Ctrl-C, SIGTERM and SIGHUP end a run at once, even where Python does not hear them."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from pipeline.running.signals import SIGNALS, as_ctrl_c

SCRIPT = """
import ctypes, sys, time
from pipeline.running import signals
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


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("hearing", "words", "status"), [("hears", "in order\n", 0), ("deaf", "last words\n", 130)])
def test_signals(number, hearing, words, status):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, hearing], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (words, status)


ENDING = """
import os, signal, time
from pipeline.running import signals
with signals.interruptible(lambda: None):
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(30)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        print("in order")
for number in signals.SIGNALS:
    os.kill(os.getpid(), number)
print("to the end")
"""


def test_those_that_follow_do_not_cut_off_what_the_first_has_begun():
    """A terminal that is closed sends SIGHUP, and so does its shell; then comes SIGTERM."""
    ended = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=20)
    assert (ended.stdout, ended.returncode) == ("in order\nto the end\n", 0), ended.stderr


def test_what_nohup_has_ignored_stays_ignored():
    script = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, sys.argv)"
    started = [sys.executable, "-c", script, "-c", SCRIPT, "hears"]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("in order\n", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_is_interrupted_by_the_first_signal_alone(number):
    handlers = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt), as_ctrl_c():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
    assert [signal.getsignal(each) for each in SIGNALS] == handlers


def test_another_thread_changes_no_handlers():
    def enter() -> None:
        with as_ctrl_c():
            seen.append([signal.getsignal(each) for each in SIGNALS])

    seen = [[signal.getsignal(each) for each in SIGNALS]]
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen[0] == seen[1]
