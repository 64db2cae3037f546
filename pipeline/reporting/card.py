"""Write a model card: the sections of "Model Cards for Model Reporting" (Mitchell et al. 2019) in the Hugging Face Hub's format."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.reporting.facts import Facts

PIPELINE_TAG = "unconditional-image-generation"
TAGS = ("darkroom", "tensorflow", "tfx", "variational-autoencoder")
MAX_LABELS = 50  # rows of figures by label, hardest first
FIGURES = {
    "elbo": "ELBO",
    "reconstruction": "reconstruction term",
    "kl": "KL divergence",
    "importance_weighted": "importance-weighted bound",
}
DENSITIES = {"prior": "the prior", "mixture": "a Gaussian mixture over the codes", "flow": "a flow over the codes"}


def model_card(facts: Facts, repository: str = "", license_id: str = "") -> str:
    """Return README.md: metadata in YAML between lines of dashes, then the card in Markdown.

    The metadata is written by huggingface_hub, the extra `huggingface`.

    Args:
        facts: What is known about the model.
        repository: `owner/name` on the Hub, '' for a folder.
        license_id: An identifier of the Hub, such as `apache-2.0`; '' for none.
    """
    from huggingface_hub import EvalResult, ModelCardData

    about = facts.about
    title = str(about.get("title") or "pictures")
    measured = {**_held_out(facts), **_frechet(facts)}
    results = [
        EvalResult(
            task_type=PIPELINE_TAG,
            dataset_type="image-folder",
            dataset_name=title,
            dataset_split="held-out",
            metric_type=name,
            metric_name=meaning,
            metric_value=round(value, 4),
        )
        for name, (meaning, value) in measured.items()
    ]
    data = ModelCardData(
        license=license_id or None,
        library_name="tensorflow",
        pipeline_tag=PIPELINE_TAG,
        tags=list(TAGS),
        model_name=f"Darkroom: {title}",
        eval_results=results or None,
    )
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in _sections(facts, repository).items())
    return f"---\n{data.to_yaml()}\n---\n\n# {_text(title)}: a variational autoencoder\n\n![new pictures](samples.png)\n\n{body}\n"


def _held_out(facts: Facts) -> dict[str, tuple[str, float]]:
    """Return the figures on held-out pictures with their meaning: the gate's, or else those that the Trainer recorded."""
    figures = facts.verdict.figures if facts.verdict and facts.verdict.figures else facts.metrics.get("eval", {})
    return {
        name: (f"{meaning}, nats per picture", figures[name]) for name, meaning in FIGURES.items() if figures.get(name) is not None
    }


def _frechet(facts: Facts) -> dict[str, tuple[str, float]]:
    generated = (facts.verdict.quality or {}).get("generated") if facts.verdict else None
    if not generated:
        return {}
    return {"frechet_distance": ("Frechet distance on features of these pictures (not Inception's)", generated["frechet_distance"])}


def _sections(facts: Facts, repository: str) -> dict[str, str]:
    return {
        "Model details": _details(facts),
        "Intended use": _intended(facts),
        "How to use": _use(facts, repository),
        "Training and evaluation data": _data(facts),
        "Metrics": _metrics(facts),
        "Limits": _limits(facts),
    }


def _details(facts: Facts) -> str:
    about, metrics = facts.about, facts.metrics
    height, width, channels = about["image_shape"]
    parameters = about.get("parameters", {})
    rows = [
        ("pictures", f"{width}x{height} pixels, {'gray' if channels == 1 else 'RGB'}"),
        (
            "network",
            f"{about['network']}: {parameters.get('encoder', 0):,} + {parameters.get('decoder', 0):,} parameters (encoder, decoder)",
        ),
        ("latent dimensions", str(about["latent_dim"])),
        ("likelihood", f"{about['likelihood']}{' of pictures made black and white' if about.get('binarised') else ''}"),
        ("prior", str(about.get("prior", "")).replace("_", " ")),
        ("new pictures come from", DENSITIES.get(about.get("density", ""), "the prior")),
        ("training", f"{metrics.get('epochs')} epochs, best {metrics.get('best_epoch')}, seed {about.get('seed')}"),
        ("configuration", "[config.yaml](config.yaml)"),
        ("version", facts.folder.name),
        ("SHA-256 of saved_model.pb", f"`{facts.digest}`"),
        *([("hash of the code", f"`{facts.code}`")] if facts.code else []),
        *([("run", facts.verdict.run)] if facts.verdict else []),
    ]
    return _table(("", ""), rows)


def _intended(facts: Facts) -> str:
    conditional = " New pictures of a given label can be asked for." if facts.about.get("conditional") else ""
    return (
        f"The model draws new pictures like those that it was trained on, reconstructs pictures, gives each a code, interpolates between "
        f"codes, and scores how usual a picture is (ELBO).{conditional} It is meant for exploring a collection of pictures, for illustrations, "
        "and for finding unusual pictures that a person then looks at.\n\n"
        "It is not meant for pictures of another kind than its training data, for decisions about people, or as evidence that a picture is "
        "genuine: pictures of another kind can have a high ELBO (Nalisnick et al. 2019)."
    )


def _use(facts: Facts, repository: str) -> str:
    download = f"    hf download {repository} --local-dir published\n" if repository else ""
    folder = "published/model" if repository else "model"
    label = ', label=tf.constant("")' if facts.about.get("conditional") else ""
    return f"""`explorer.html` runs the decoder in a browser, without a server. With Darkroom, or with TensorFlow alone:

{download}    darkroom generate --model {folder} --count 64 --seed 7 --out new.png
    darkroom score --model {folder} pictures/ --sort

```python
import tensorflow as tf

model = tf.saved_model.load("{folder}")
generate = model.signatures["generate"]
new = generate(count=tf.constant(8, tf.int64), seed=tf.constant(7, tf.int64), temperature=tf.constant(1.0){label})["images"]  # uint8 [8, h, w, c]
code = model.signatures["encode"](image_bytes=tf.constant([open("picture.png", "rb").read()]))["mean"]  # float32 [1, latent_dim]
again = model.signatures["serving_default"](latents=code)["images"]  # uint8 [1, h, w, c]
```

`model/` also answers in TensorFlow Serving. Its signatures are {", ".join(f"`{name}`" for name in facts.signatures)}. They read PNG, JPEG, GIF and BMP files of
any size through the pixel graph of the training. `model/manifest.json` has the SHA-256 of each file. `weights.safetensors` has all weights by
layer."""


def _data(facts: Facts) -> str:
    verdict = facts.verdict
    pictures = verdict.data.get("pictures", {}) if verdict else facts.about.get("pictures", {})
    rows = [
        (split, f"{count:,}", f"`{facts.examples[split]}`" if split in facts.examples else "not recorded")
        for split, count in pictures.items()
    ]
    labels = [_text(str(label)) for label in facts.about.get("labels", [])]
    shown = ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if labels[20:] else "")
    parts = [
        _table(("split", "pictures", "SHA-256 of the examples"), rows),
        f"Labels: {shown or 'none'} ({'seen' if facts.about.get('conditional') else 'not seen'} by the model)."
        + (f" Fingerprint of the input files: `{facts.fingerprint}`." if facts.fingerprint else ""),
        "The `eval` split decided when to stop; the figures below are of held-out pictures. Pictures that could not be read and exact "
        "duplicates were left out"
        + (f" ({verdict.data.get('rejected', 0):,} and {verdict.data.get('duplicates', 0):,})." if verdict else "."),
    ]
    return "\n\n".join(parts)


def _metrics(facts: Facts) -> str:
    held_out = _held_out(facts)
    parts = [
        "Means over held-out pictures, in nats per picture. The ELBO is -(reconstruction term + KL divergence), a lower bound on the "
        "log-likelihood; higher is better.",
        _table(tuple(FIGURES[name] for name in held_out), [tuple(f"{value:.2f}" for _, value in held_out.values())]),
    ]
    parts += [f"{meaning}: {value:.3g}." for meaning, value in _frechet(facts).values()]
    if facts.verdict and facts.verdict.quality.get("floor"):
        floor = facts.verdict.quality["floor"]["frechet_distance"]
        parts[-1] += f" Training pictures themselves have {floor:.3g}; 0 is not reached with so few pictures."
    hardest = sorted(((label, row) for label, row in facts.by_label.items() if "elbo" in row), key=lambda item: item[1]["elbo"])
    if hardest:
        rows = [
            (
                _text(label) or "(no label)",
                *(f"{row[name]:.2f}" if name in row else "" for name in FIGURES),
                f"{row.get('pictures', 0):,.0f}",
            )
            for label, row in hardest[:MAX_LABELS]
        ]
        parts.append(_table(("label, hardest first", *FIGURES.values(), "pictures"), rows))
        if hardest[MAX_LABELS:]:
            parts.append(f"The {MAX_LABELS} hardest of {len(hardest)} labels.")
    return "\n\n".join(parts)


def _limits(facts: Facts) -> str:
    copies = (facts.verdict.quality or {}).get("copies") if facts.verdict else None
    found = (
        f" Of {copies['pictures']:,} new pictures, {copies['count']:,} were near-copies of training pictures; of held-out pictures, "
        f"{100 * copies['floor']:.1f} % are."
        if copies
        else ""
    )
    forced = facts.verdict.blessed_by if facts.verdict else None
    overruled = (
        f"\n\n**The model gate refused this model**, and a person overruled it ({_text(forced['why'])}): {'; '.join(facts.verdict.overruled)}."
        if forced and facts.verdict
        else ""
    )
    return (
        "The model knows only its training pictures and has their biases: what they show seldom, it draws seldom and badly. It reconstructs a "
        f"picture of another kind as the nearest thing that it knows. New pictures may resemble training pictures.{found} Whoever publishes new "
        f"pictures is responsible for the rights in the training pictures.{overruled}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _text(value: str) -> str:
    """Return text from the data, such as a label, that Markdown and HTML take as text."""
    line = " ".join(value.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in line)
