"""Configuration of the trainer, with the reason beside each default.

The classes are plain dataclasses. The pipeline validates them (the constraints are in the annotations) and passes them to TFX as
JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from serving.picture_files import PictureOptions

Level = Annotated[int, Ge(0), Le(255)]
PositiveInt = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]


def with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in which JSON's lists are tuples, as the fields of a configuration are."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclass(frozen=True)
class PreprocessingConfig:
    """The size and format that every image is converted to before the model sees it.

    Attributes:
        height: Rows of the model's images.
        width: Columns of the model's images.
        channels: 1 for gray (ITU-R BT.601 luma), 3 for RGB.
        resize: Antialiased filter for shrinking. Enlarging is always bilinear.
        fit: How an image of another aspect ratio is fitted: `crop` the center, `pad` with the background, or `stretch`.
        background: RGB levels, 0 to 255, behind transparent images.
        depth: Bits of a level. It is set from `data.depth`.
    """

    height: PositiveInt = 32
    width: PositiveInt = 32
    channels: Literal[1, 3] = 3
    resize: Literal["lanczos3", "area", "bilinear"] = "lanczos3"  # the sharpest of the three; area is softer, without ringing
    fit: Literal["crop", "pad", "stretch"] = "crop"  # keeps proportions, and puts no bars into the model
    background: tuple[Level, Level, Level] = (255, 255, 255)
    depth: Literal[8, 16] = 8

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return height, width and channels of the model's images."""
        return (self.height, self.width, self.channels)


@dataclass(frozen=True)
class ModelConfig:
    """The variational autoencoder.

    Attributes:
        network: Architecture of encoder and decoder. `dense` is best per CPU second on small gray images. `spatial`, whose code has
            numbers for each place of a grid, is best in color. `convolutional` gives a short code of larger images. `hierarchical`
            is dense with a second level of latent variables above the first.
        latent_dim: Dimensions of the latent space, of all levels together. A space of 2 can be drawn whole, 16 and more
            reconstruct better. For `spatial` it follows from `patch` and `latent_channels`.
        top_latent_dim: Dimensions of the upper level of a hierarchical model.
        hidden: Units of each hidden layer of the dense encoder. The decoder has them in reverse.
        filters: Filters after each halving of the convolutional encoder. The decoder has them in reverse.
        patch: Pixels on the side of a place of the spatial network's grid.
        latent_channels: Latent dimensions for each place of the spatial network's grid.
        width: Channels of the spatial network's layers.
        blocks: Residual layers of the spatial network's encoder, and of its decoder.
        dropout: Share of the last hidden layer's values that are dropped in training (Srivastava et al. 2014). It is meant for
            small collections, which a network otherwise memorizes, see docs/quality.md#small-collections.
        likelihood: p(x|z). `bernoulli` takes gray values as probabilities, or draws from them (`binarisation`).
            `discretized_logistic_mixture` is for 8-bit pictures, and also gives figures in bits per dimension.
        binarisation: `dynamic` makes each pixel black or white with its gray value as the probability: anew in each training
            step, and once (by the image's own key) for held-out images. Only for `bernoulli`.
        sigma: Standard deviation of `gaussian`: `learned` is a weight like others, `optimal` is the best fit (Rybkin et al. 2021,
            eq. 5).
        mixtures: Components of `discretized_logistic_mixture`, for each pixel.
        prior: p(z): `standard_normal`, or `vampprior`, a mixture of posteriors of learned pseudo-inputs.
        pseudo_inputs: Number of pseudo-inputs.
        conditional: Whether encoder and decoder see the images' labels: `darkroom generate --label NAME`.
    """

    network: Literal["dense", "convolutional", "hierarchical", "spatial"] = "convolutional"
    latent_dim: PositiveInt = 16
    top_latent_dim: PositiveInt = 8
    hidden: Annotated[tuple[PositiveInt, ...], Len(1)] = (512, 512)
    filters: Annotated[tuple[PositiveInt, ...], Len(1)] = (32, 64, 128)
    patch: PositiveInt = 4
    latent_channels: PositiveInt = 16
    width: PositiveInt = 128
    blocks: PositiveInt = 2
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    likelihood: Literal["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"] = "bernoulli"
    binarisation: Literal["none", "dynamic"] = "none"
    sigma: Literal["learned", "optimal"] = "learned"
    mixtures: PositiveInt = 5  # PixelCNN++ has 10; with a latent code, 5 are as good and half as costly
    prior: Literal["standard_normal", "vampprior"] = "standard_normal"
    pseudo_inputs: PositiveInt = 500  # as in the VampPrior paper
    conditional: bool = False

    def __post_init__(self) -> None:
        if self.binarisation == "dynamic" and self.likelihood != "bernoulli":
            raise ValueError(f"binarisation: dynamic makes pictures for likelihood: bernoulli, not for {self.likelihood}")
        if self.network == "hierarchical" and self.top_latent_dim >= self.latent_dim:
            raise ValueError(f"top_latent_dim must be below latent_dim, {self.latent_dim}, for network: hierarchical")


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained.

    Attributes:
        epochs: Maximum number of passes over the training images. The learning rate falls to 0 over them. The choice makes about
            5,000 steps, in 20 to 200 epochs; for the spatial network it sees 300,000 images, in at most 100 epochs.
        batch_size: Images per step, over all replicas together. The choice is 128; 32 for fewer than 3,000 images; 16 for the
            spatial network.
        accumulate: Number of parts of a batch, processed one after the other. Their gradients add up to the batch's. 0 means one
            part, or more if the images of a batch are so large that they would take gigabytes.
        learning_rate: Peak of the schedule (Adam).
        warmup_share: Share of all steps in which the learning rate rises to its peak.
        beta: Weight of the KL divergence in the loss (1 is the ELBO; Higgins et al. 2017, eq. 4).
        kl_warmup: How that weight rises from 0: once (`linear`; Sonderby et al. 2016, section 2.3), or repeatedly (`cyclical`;
            Fu et al. 2019, section 3).
        kl_warmup_share: Share of all steps in which the weight rises, or of the steps of each cycle if it is cyclical.
        kl_cycles: Number of cycles.
        free_bits: Nats of KL divergence per latent dimension that cost nothing (Kingma et al. 2016, eq. 15).
        corruption: Corruption of the encoder's input in training; the decoder has to give the clean images (Vincent et al. 2010;
            for VAEs Im et al. 2017). `gaussian` noise, `masking` to black, or `salt_and_pepper`. `darkroom reconstruct` then denoises.
        corruption_level: Maximum of the corruption: standard deviation of the noise (1 is white), or share of the pixels. Each
            image's own level lies between 0 and the maximum.
        feature_weight: Weight, in the training loss, of a distance between each image and the decoder's mean for it. The unit is
            nats per value of an image at a distance of 1. The distance is between features that a network first learns from the
            training images, see docs/configuration.md#distance-in-features. The reported ELBO does not include it.
        augmentation: Changes to training images, drawn anew in each step: any of `mirrored` (left to right), `shifted` and
            `jittered` (brightness, contrast and saturation). Encoder and decoder see the same changed image. Held-out images
            are not changed. Never mirror digits, text, or objects that face one way. `auto` tests the training images, and
            mirrors them only if they cannot be distinguished from their mirror images; the run prints the result. By default
            color images get `auto`, and gray ones no changes.
        shift_pixels: The longest shift along either axis.
        jitter: The largest change of a mid-gray's brightness (1 is white) and of the contrast, and half of that of the saturation.
        weight_average: Decay of the running means of the weights, such as 0.999. The model is evaluated and exported with these
            means. 0 takes the weights themselves. A training of fewer than 10 / (1 - decay) steps needs a smaller decay.
        patience: Number of epochs without a better held-out ELBO after which training stops. The best weights are kept.
        warm_start: Start from the weights of the last blessed model if its networks are the same, without a warm-up of the KL
            weight. A training on the same images again starts from the same model as before.
        seed: Random seed, for repeatable runs.
        strategy: The tf.distribute strategy: `one_device`, `mirrored` over all GPUs of this machine, or `multi_worker` over several
            processes, see docs/scale.md#training-on-several-workers. Each of them has a part of every batch.
        workers: Number of processes of `multi_worker`, at most `batch_size`. They are started on this machine and share its
            processors. With `cluster.workers_folder` they are pods.
        precision: Type of the networks' values in training: `float32`, or `bfloat16` for hardware that computes faster with it.
            Weights, losses and the exported model are float32.
        jit_compile: Compile with XLA. Off, because it made the convolutional step slower on CPUs.
        memory_megabytes: Limit up to which the decoded pixels of a split are kept in memory. Beyond it they are kept on disk.
        importance_samples: K of the importance-weighted bound that the exported model returns; published figures use 500.
    """

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 128
    accumulate: Annotated[int, Ge(0)] = 0
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    warmup_share: Share = 0.02
    beta: Annotated[float, Ge(0)] = 1.0
    kl_warmup: Literal["linear", "cyclical"] = "linear"
    kl_warmup_share: Share = 0.1
    kl_cycles: PositiveInt = 4
    free_bits: Annotated[float, Ge(0)] = 0.0
    corruption: Literal["none", "gaussian", "masking", "salt_and_pepper"] = "none"
    corruption_level: Annotated[float, Gt(0), Le(1)] = 0.3
    feature_weight: Annotated[float, Ge(0)] = 0.0
    augmentation: tuple[Literal["auto", "mirrored", "shifted", "jittered"], ...] = ()
    shift_pixels: PositiveInt = 2
    jitter: Annotated[float, Gt(0), Le(0.15)] = 0.1  # beyond 1/6 the order of levels would change
    weight_average: Annotated[float, Ge(0), Lt(1)] = 0.0  # the presets' rates fall to 0: the last weights are already a mean
    patience: PositiveInt = 10
    warm_start: bool = False
    seed: Annotated[int, Ge(0), Le(2**31 - 1)] = 0
    strategy: Literal["one_device", "mirrored", "multi_worker"] = "one_device"
    workers: PositiveInt = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    jit_compile: bool = False
    memory_megabytes: Annotated[float, Ge(0)] = 4000.0  # twenty times all of CIFAR-10
    importance_samples: PositiveInt = 50

    def __post_init__(self) -> None:
        if self.workers > 1 and self.strategy != "multi_worker":
            raise ValueError(f"training.workers: {self.workers} needs training.strategy: multi_worker, not {self.strategy}")
        if self.workers > self.batch_size:
            raise ValueError(f"training.batch_size, {self.batch_size}, is below training.workers, {self.workers}: some would idle")


@dataclass(frozen=True)
class GenerationConfig:
    """How the exported model generates images.

    Attributes:
        density: Distribution of the codes: the model's `prior`, or a density fitted to the aggregate posterior after training
            (ex-post density estimation; Ghosh et al. 2020, section 4), either a Gaussian `mixture` or a `flow` (flow matching;
            Lipman et al. 2023).
        components: Components of the mixture, each with a full covariance.
        updates: Maximum number of updates of the flow's weights. The fit stops earlier when held-out codes no longer gain.
        steps: Steps of the flow's solver. Each step evaluates the flow's network twice.
        pixels: `mean` returns the decoder's mean E[x|z]. `mode` returns the mean of each pixel's most likely component for a
            mixture of logistics, which is sharper, and E[x|z] for other likelihoods. `sample` draws generated images from
            p(x|z), including its noise, and returns E[x|z] for all other images.
    """

    density: Literal["prior", "mixture", "flow"] = "prior"
    components: PositiveInt = 10  # as in the paper
    updates: PositiveInt = 4000
    steps: PositiveInt = 12  # 24 evaluations of the network for each image; for a spatial code 20 ms on two cores
    pixels: Literal["mean", "mode", "sample"] = "mean"


@dataclass(frozen=True)
class TrainerConfig:
    """The whole configuration of the Trainer component. It is passed as JSON in the component's `custom_config`.

    Attributes:
        preprocessing: The size and format of the model's images, as the Transform graph produces them.
        model: The variational autoencoder.
        training: How the model is trained.
        generation: How the model generates images.
        title: Name of the data set, for the model card.
        picture_files: How image files are read. It is stored beside the model, so that other files are read in the same way as
            the training files.
    """

    preprocessing: PreprocessingConfig
    model: ModelConfig
    training: TrainingConfig
    generation: GenerationConfig = GenerationConfig()
    title: str = "pictures"
    picture_files: PictureOptions = PictureOptions()

    def __post_init__(self) -> None:
        if self.preprocessing.depth == 16 and self.model.likelihood == "discretized_logistic_mixture":
            raise ValueError(
                "model.likelihood: discretized_logistic_mixture is a probability of 256 levels; with data.depth: 16 take gaussian, "
                "bernoulli or continuous_bernoulli"
            )

    def protocol(self) -> str:
        """Return what figures in nats depend on apart from the weights. Only models of the same protocol can be compared.

        Example:
            >>> TrainerConfig(PreprocessingConfig(28, 28, 1), ModelConfig(), TrainingConfig()).protocol()
            "bernoulli on (28, 28, 1, 'lanczos3', 'crop', (255, 255, 255)), K = 50"
        """
        *values, depth = dataclasses.astuple(self.preprocessing)
        # 8 bits are left out, as before other depths existed: figures stay comparable to those of earlier models.
        pixels = (*values, depth) if depth != 8 else tuple(values)
        likelihood = self.model.likelihood + (", binarised" if self.model.binarisation == "dynamic" else "")
        given = ", given the label" if self.model.conditional else ""
        return f"{likelihood}{given} on {pixels}, K = {self.training.importance_samples}"

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, for JSON."""
        return {**dataclasses.asdict(self), "picture_files": self.picture_files.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainerConfig:
        """Return the configuration that `to_dict` converted, also after JSON has turned its tuples into lists."""
        kinds = (PreprocessingConfig, ModelConfig, TrainingConfig, GenerationConfig)
        names = ("preprocessing", "model", "training", "generation")
        built = {name: kind(**with_tuples(values.get(name, {}))) for name, kind in zip(names, kinds)}
        files = PictureOptions.from_dict(values.get("picture_files", {}))
        return cls(**built, title=values.get("title", "pictures"), picture_files=files)
