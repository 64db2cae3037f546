"""Compare the time of the Evaluator with that of the decoder's matrix products alone.

All sides are measured in turns in one process. The importance-weighted bound decodes K codes for each picture. It cannot take less
time than the decoder's matrix products and convolutions for as many codes, which are measured alone here, on random numbers of the
same shapes. The Evaluator is TFX's, on an exported model, with everything else that it does: reading examples, metrics, slices,
thresholds. The models are untrained, which does not affect the time.

CPU seconds are the sum over all threads. On a busy machine they vary less than elapsed time.

The start of the Evaluator (Beam's pipeline, loading and tracing the model) takes some seconds for any number of pictures. It is
measured with a few pictures, and subtracted in the last line, which is the cost of a picture in a large collection.

Run: python -m benchmarks.evaluator [--presets fashion-mnist-binarised] [--pictures 1000] [--rounds 3] [--samples K] [--bound-only]
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=FutureWarning)  # printed by libraries at import

import numpy as np
import tensorflow as tf
from PIL import Image

from common.features import ENCODED, LABEL
from pipeline.config.loading import build_config, load_values, preset_names, preset_path
from pipeline.config.schema import Config
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.export import Servable
from trainer.preprocessing import PIXELS, preprocessing_fn
from trainer.sampling import example_keys, keyed_normal
from trainer.task import training_data
from trainer.vae import ROW_NUMBERS, ROWS, VAE

PRODUCTS = ("MatMul", "BatchMatMulV2", "Einsum", "Conv2D", "Conv2DBackpropInput", "DepthwiseConv2dNative")
PICTURES_AT_ONCE = 20  # about the size of Beam's batches
FEW = 10  # pictures with which the Evaluator's start is measured
EVALUATOR, START, BEYOND = "Evaluator", f"Evaluator of {FEW} pictures", "Evaluator beyond its start"
Side = Callable[[], None]


def products_alone(vae: VAE, rows: int) -> tuple[tf.types.experimental.ConcreteFunction, list[tf.Tensor]]:
    """Return the decoder's matrix products and convolutions for `rows` codes as a function, and random inputs for it."""
    spec = [tf.TensorSpec([rows, vae.latent_dim], tf.float32)]
    graph = tf.function(vae.decode, input_signature=spec, autograph=False).get_concrete_function().graph
    operations = [op for op in graph.get_operations() if op.type in PRODUCTS]
    shapes = [value.shape for op in operations for value in op.inputs if value.dtype == tf.float32]
    inputs = [tf.random.stateless_normal(shape, seed=[0, i]) for i, shape in enumerate(shapes)]

    def run(*values: tf.Tensor) -> tf.Tensor:
        """Return the sum of one number of each result, so that no operation is pruned."""
        given, results = iter(values), []
        for op in operations:
            arguments = [
                next(given) if value.dtype == tf.float32 else tf.constant(tf.get_static_value(value)) for value in op.inputs
            ]
            with tf.control_dependencies(results[-1:]):  # in sequence, as in the decoder
                types = [value.dtype for value in op.outputs]
                made = tf.compat.v1.get_default_graph().create_op(op.type, arguments, types, attrs=dict(op.node_def.attr))
            results.append(tf.reshape(made.outputs[0], [-1])[0])
        return tf.add_n(results)

    return tf.function(run, autograph=False).get_concrete_function(*inputs), inputs


def make_vae(config: TrainerConfig, levels: np.ndarray) -> VAE:
    """Return an untrained model with noise on its weights, so that codes and pictures differ."""
    vae = VAE(config.model, config.preprocessing.image_shape, training_data(config, Pictures(levels), 0))
    rng = np.random.default_rng(0)
    vae.set_weights([weight + 0.02 * rng.standard_normal(weight.shape) for weight in vae.get_weights()])
    return vae


def sides(config: Config, pictures: int, folder: Path, bound_only: bool) -> dict[str, Side]:
    """Return the decoder's products, the decoder, the bound and the Evaluator, each as a function to be timed."""
    trainer = config.trainer()
    samples, shape = trainer.training.importance_samples, trainer.preprocessing.image_shape
    levels = np.random.default_rng(0).integers(0, 256, (pictures, *shape), np.uint8)
    vae = make_vae(trainer, levels)
    rows = min(ROWS, vae.judged_at_once(ROW_NUMBERS))
    blocks = max(1, round(pictures * samples / rows))
    products, inputs = products_alone(vae, rows)
    decode = tf.function(lambda z: vae.decode(z)[0, 0, 0, 0], autograph=False)
    z = tf.random.stateless_normal([rows, vae.latent_dim], seed=[0, 1])
    bound = tf.function(vae.importance_weighted, reduce_retracing=True, autograph=False)

    def bounds() -> None:
        for at in range(0, pictures, PICTURES_AT_ONCE):
            part = levels[at : at + PICTURES_AT_ONCE]
            bound(vae.observe(part), keyed_normal(example_keys(part), (samples, vae.latent_dim)))

    def repeated(call: Callable[[], tf.Tensor]) -> Side:
        call()  # tracing and warm-up
        return lambda: [call() for _ in range(blocks)][-1].numpy()

    bound(vae.observe(levels[:2]), keyed_normal(example_keys(levels[:2]), (samples, vae.latent_dim)))
    items = {"products alone": repeated(lambda: products(*inputs)), "decoder": repeated(lambda: decode(z)), "bound": bounds}
    if bound_only:
        return items
    export(trainer, vae, folder / "model" / "Format-Serving")
    collections = {START: levels[:FEW], EVALUATOR: levels}
    return {**items, **{name: evaluator(config, folder, some) for name, some in collections.items()}}


def evaluator(config: Config, folder: Path, levels: np.ndarray) -> Side:
    """Return TFX's Evaluator, as the pipeline runs it, on the exported model in a folder."""
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import proto_utils

    from components.evaluator.executor import ReportedEvaluation
    from pipeline.config.eval_config import evaluation_config
    from pipeline.engines.arguments import LOCAL_BEAM

    def artifact(kind: type, name: str) -> list:
        made = kind()
        made.uri = str(folder / name)
        return [made]

    examples = f"examples-{len(levels)}"
    inputs = {"model": artifact(standard_artifacts.Model, "model"), "examples": artifact(standard_artifacts.Examples, examples)}
    inputs["examples"][0].split_names = artifact_utils.encode_split_names(["test"])
    write_examples(levels, folder / examples / "Split-test" / "data_tfrecord-00000-of-00001.gz")
    outputs = {
        "evaluation": artifact(standard_artifacts.ModelEvaluation, "evaluation"),
        "blessing": artifact(standard_artifacts.ModelBlessing, "blessing"),
    }
    properties = {
        "eval_config": proto_utils.proto_to_json(evaluation_config(config.evaluation)),
        "example_splits": json.dumps(["test"]),
    }
    context = ReportedEvaluation.Context(beam_pipeline_args=list(LOCAL_BEAM), tmp_dir=str(folder / "temporary"), unique_id="1")
    return lambda: ReportedEvaluation(context).Do(inputs, outputs, dict(properties))


def export(config: TrainerConfig, vae: VAE, folder: Path) -> None:
    """Write the model with the signature that the Evaluator calls, including the pixel graph."""
    plain = {"preprocessing": config.to_dict()["preprocessing"]}
    pixels = lambda encoded: preprocessing_fn({ENCODED: encoded[:, tf.newaxis]}, plain)[PIXELS]  # noqa: E731
    pixels.resources = []
    servable = Servable(vae, pixels, config.training.importance_samples)
    servable.save(folder, ["evaluate"])


def write_examples(levels: np.ndarray, path: Path) -> None:
    """Write pictures as PNG in tf.Examples, with the other features that the Evaluator reads."""
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for picture in levels:
            file = io.BytesIO()
            Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(file, "PNG")
            feature = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in ((ENCODED, file.getvalue()), (LABEL, b"a"))
            }
            feature["image/mean"] = tf.train.Feature(float_list=tf.train.FloatList(value=[0.0]))
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def compare(name: str, timed: dict[str, Side], pictures: int, rounds: int) -> None:
    """Print a line for each side. The sides are measured in turns, so that other load affects all of them equally."""
    cpu: dict[str, list[float]] = {side: [] for side in timed}
    clock: dict[str, list[float]] = {side: [] for side in timed}
    for _ in range(rounds):
        for side, run in timed.items():
            begin, begin_cpu = time.perf_counter(), time.process_time()
            run()
            cpu[side].append(time.process_time() - begin_cpu)
            clock[side].append(time.perf_counter() - begin)
    if EVALUATOR in timed:
        share = pictures / (pictures - FEW)
        for took in (cpu, clock):
            took[BEYOND] = [(all_of - few) * share for all_of, few in zip(took[EVALUATOR], took[START])]
    for side, took_cpu in cpu.items():
        ratios = [statistics.median(a / b for a, b in zip(took[side], took["products alone"])) for took in (cpu, clock)]
        seconds = statistics.median(took_cpu), statistics.median(clock[side])
        print(f"| {name} | {side} | {seconds[0]:.1f} | {ratios[0]:.2f} | {seconds[1]:.1f} | {ratios[1]:.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=list(preset_names()), default=["fashion-mnist-binarised"])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, help="K of the bound, in place of the preset's.")
    parser.add_argument("--bound-only", action="store_true", help="Without TFX's Evaluator.")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    print("| preset | side | CPU seconds | of the products' | seconds | of the products' |\n|---|---|---|---|---|---|")
    for preset in arguments.presets:
        with tempfile.TemporaryDirectory() as folder:
            values = load_values(preset_path(preset))
            if arguments.samples:
                values["training"]["importance_samples"] = arguments.samples
            timed = sides(build_config(values), arguments.pictures, Path(folder), arguments.bound_only)
            compare(preset, timed, arguments.pictures, arguments.rounds)


if __name__ == "__main__":
    main()
