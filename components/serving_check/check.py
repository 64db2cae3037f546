"""The clean process: send the golden requests to an exported model as TensorFlow Serving would, and store the answers.

This script runs by path as `python -I -S check.py request.json`, in a folder with check.py, c_api.py and golden.py. Like a server,
it has no TensorFlow in Python, no TFX, no Keras and nothing else of this project.

request.json: {"library": TensorFlow's shared library, "model": the SavedModel, "inputs": the golden inputs.npz,
"answers": a folder to write to, "numpy": the folder that contains numpy, "calls": {signature: {"inputs": {name: tensor},
"outputs": {name: tensor}, "counted_by": name or null}}}.

The script writes one line of JSON to standard output per completed step, so that the steps before a crash are known:
{"loaded": milliseconds, "tensorflow": version}; {"signature": name, "milliseconds": of the golden request} or
{"signature": name, "error": words}; and last {"modules": all imported modules outside Python's own library}. If the
model cannot be loaded, it writes only {"error": message}.

The answers of a signature go to <answers>/<signature>.npz: "golden" for the golden request; "other_batch_size" for the same in
another batch size: row by row, or with one more picture.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(request_file: str) -> None:
    """Answer the request in `request_file`."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    # Python was started with only its own library on the search path.
    sys.path += [str(Path(__file__).parent), request["numpy"]]
    import c_api
    import golden

    started = time.perf_counter()
    try:
        session = c_api.Session(request["library"], request["model"])
    except c_api.TensorFlowError as error:
        write_line(error=str(error))
        return
    write_line(loaded=milliseconds_since(started), tensorflow=session.tensorflow_version)

    inputs = golden.read_tensors(request["inputs"])
    for signature, call in request["calls"].items():
        try:
            started = time.perf_counter()
            answers = {"golden": ask(session, call, inputs[signature])}
            taken = milliseconds_since(started)
            answers["other_batch_size"] = ask_other_batch_size(session, call, inputs[signature])
        except (c_api.TensorFlowError, TypeError, ValueError) as error:
            write_line(signature=signature, error=str(error))
        else:
            golden.write_tensors(Path(request["answers"]) / f"{signature}.npz", answers)
            write_line(signature=signature, milliseconds=taken)
    imported = {name.partition(".")[0] for name in sys.modules}
    write_line(modules=sorted(imported - set(sys.stdlib_module_names) - {"__main__"}))


def ask(session: Any, call: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Call a signature once; return its outputs by name."""
    feeds = {tensor: values[name] for name, tensor in call["inputs"].items()}
    return dict(zip(call["outputs"], session.run(feeds, list(call["outputs"].values()))))


def ask_other_batch_size(session: Any, call: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Call a signature with another batch size than the golden one: with one more picture, or row by row."""
    if call["counted_by"]:
        return ask(session, call, {**values, call["counted_by"]: values[call["counted_by"]] + 1})
    rows = range(len(next(iter(values.values()))))
    answers = [ask(session, call, {name: value[row : row + 1] for name, value in values.items()}) for row in rows]
    return {name: join([answer[name] for answer in answers]) for name in call["outputs"]}


def join(parts: list[Any]) -> Any:
    """Join answers to single rows, arrays or lists of strings, into one answer."""
    import numpy

    return [one for part in parts for one in part] if isinstance(parts[0], list) else numpy.concatenate(parts)


def milliseconds_since(started: float) -> float:
    """Return the milliseconds since `started`, a value of time.perf_counter."""
    return round((time.perf_counter() - started) * 1000, 3)


def write_line(**line: Any) -> None:
    """Write a line of JSON to standard output at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
