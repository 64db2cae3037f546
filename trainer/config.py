"""What the trainer can be told, with the reason beside each default.

Plain dataclasses: the pipeline validates them (the constraints are in the annotations) and hands them to TFX as JSON.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from serving.picture_files import PictureOptions

Level = Annotated[int, Ge(0), Le(255)]
PositiveInt = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class PreprocessingConfig:
    """What every picture is brought to before the model sees it.

    Attributes:
        height: Rows of the model's pictures.
        width: Columns of the model's pictures.
        channels: 1 for grey (ITU-R BT.601 luma), 3 for RGB.
        resize: Filter used when shrinking, always antialiased; pictures are enlarged bilinearly whatever it says.
        fit: How another aspect ratio is treated: `crop` the centre, `pad` with the background, or `stretch`.
        background: RGB levels, 0 to 255, that transparent pictures are laid on.
        depth: Bits of a level: as `data.depth` says, which sets it.
    """

    height: PositiveInt = 32
    width: PositiveInt = 32
    channels: Literal[1, 3] = 3
    resize: Literal["lanczos3", "area", "bilinear"] = "lanczos3"  # sharpest of the three; area is softer, without ringing
    fit: Literal["crop", "pad", "stretch"] = "crop"  # keeps proportions and lets no bars into the model
    background: tuple[Level, Level, Level] = (255, 255, 255)
    depth: Literal[8, 16] = 8

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the model's pictures."""
        return (self.height, self.width, self.channels)


@dataclass(frozen=True)
class ModelConfig:
    """The variational autoencoder.

    Attributes:
        network: `dense` is the better one per CPU second on small grey pictures, `spatial`, whose code has numbers for each place
            of a grid, in colour; `convolutional` gives a short code of larger ones; `hierarchical` is dense with a second level of
            latent variables above the first.
        latent_dim: Dimensions of the latent space, of all levels together; 2 can be drawn whole, 16 and more rebuild better. Of
            `spatial` they are what `patch` and `latent_channels` come to.
        top_latent_dim: Those of the upper level of a hierarchical model.
        hidden: Units of each hidden layer of the dense encoder; the decoder has them in reverse.
        filters: Filters after each halving of the convolutional encoder; the decoder has them in reverse.
        patch: Pixels on the side of a place of the spatial network's grid.
        latent_channels: Latent dimensions for each of its places.
        width: Numbers by which its layers describe a place.
        blocks: Residual layers of its encoder, and as many of its decoder.
        dropout: Share of the last hidden layer's numbers that a training picture's pass does without (Srivastava et al. 2014), for
            small collections, which a network else learns by heart.
        likelihood: p(x|z). `bernoulli` takes grey values as probabilities, or draws from them (`binarisation`).
        binarisation: `dynamic` makes pixels black or white with their grey value as the probability: anew in each training
            step, once and for all (by each picture's own key) for held-out pictures. Only for `bernoulli`.
        sigma: Of `gaussian`: `learned` is a weight like others, `optimal` is what fits best (Rybkin et al. 2021, eq. 5).
        mixtures: Components of `discretized_logistic_mixture`, for each pixel.
        prior: p(z): `standard_normal`, or `vampprior`, a mixture of posteriors of learned pseudo-inputs.
        pseudo_inputs: How many of them.
        conditional: Whether encoder and decoder see the pictures' labels.
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
    mixtures: PositiveInt = 5  # PixelCNN++ has 10; with a latent code to say where, 5 are as good and half as costly
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
    """How the model is fitted.

    Attributes:
        epochs: Passes over the training pictures at the most; the learning rate falls to 0 over them.
        batch_size: Pictures per step, over all replicas together.
        accumulate: Parts that a batch is worked through in, one after the other; their gradients add up to the batch's. 0 takes
            one part, and more where the pictures of a batch are so large that they would take gigabytes.
        learning_rate: Peak of the schedule (Adam).
        warmup_share: Share of all steps in which the learning rate rises to its peak.
        beta: Weight of the KL divergence in the loss (1 is the ELBO; Higgins et al. 2017, eq. 4).
        kl_warmup: How that weight rises from 0: once (`linear`; Sonderby et al. 2016, section 2.3), or again and again
            (`cyclical`; Fu et al. 2019, section 3).
        kl_warmup_share: Share of all steps in which it rises; of the steps of each cycle where it is cyclical.
        kl_cycles: How many cycles.
        free_bits: Nats of KL divergence per latent dimension that cost nothing (Kingma et al. 2016, eq. 15).
        corruption: What is done to the encoder's pictures in training, while the decoder is to give the clean ones (Vincent et
            al. 2010; for VAEs Im et al. 2017): `gaussian` noise, `masking` to black, `salt_and_pepper`.
        corruption_level: The most of it: standard deviation of the noise (1 is white), or share of the pixels. Each picture
            gets between nothing and that.
        feature_weight: Weight of a distance between each picture and the decoder's mean for it, beside the negative ELBO in the
            training loss: nats per value of a picture that a distance of 1 costs. It is the distance of features that a network
            learns from the training pictures first, see `trainer.features.distance`. The ELBO reported is the ELBO.
        augmentation: What is done to training pictures, anew in each step: any of `mirrored` (left to right), `shifted` and
            `jittered` (brightness, contrast and saturation). Encoder and decoder see the same changed picture; held-out
            pictures stay as they are. Never mirror digits, text, or what faces one way: `auto` tests the training pictures, and
            mirrors them only where they cannot be told from their mirror images.
        shift_pixels: The longest shift along either axis.
        jitter: The largest change of a mid-grey's brightness (1 is white) and of the contrast, half that of the saturation.
        weight_average: Decay of the running means of the weights that the model is judged and exported with, such as 0.999; 0
            takes the weights as they are. A training of fewer than 10 / (1 - decay) steps needs a smaller one.
        patience: Epochs without a better held-out ELBO after which training stops; the best weights are kept.
        warm_start: Starts from the weights of the last good model, if its networks are the same, and without a warm-up of the
            KL divergence's weight. The same pictures again start from what they started from before.
        seed: Makes a run repeatable.
        strategy: The tf.distribute strategy: `one_device`, or `mirrored` over all GPUs of this machine.
        jit_compile: XLA. Off: on CPUs it made the convolutional step slower.
        memory_megabytes: Decoded pixels of a split are kept in memory up to so many megabytes, and on disk beyond.
        importance_samples: K of the importance-weighted bound that the exported model answers with.
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
    jitter: Annotated[float, Gt(0), Le(0.15)] = 0.1  # beyond 1/6 levels would change their order
    weight_average: Annotated[float, Ge(0), Lt(1)] = 0.0  # the presets' rates fall to 0: their last weights are a mean already
    patience: PositiveInt = 10
    warm_start: bool = False
    seed: Annotated[int, Ge(0), Le(2**31 - 1)] = 0
    strategy: Literal["one_device", "mirrored"] = "one_device"
    jit_compile: bool = False
    memory_megabytes: Annotated[float, Ge(0)] = 4000.0  # all of CIFAR-10 twenty times over
    importance_samples: PositiveInt = 50


@dataclass(frozen=True)
class GenerationConfig:
    """How the exported model makes new pictures.

    Attributes:
        density: Where codes come from: the model's `prior`, or what is fitted to the aggregate posterior after training (ex-post
            density estimation; Ghosh et al. 2020, section 4), a Gaussian `mixture` or a `flow` (flow matching; Lipman et al. 2023).
        components: Of the mixture, each with a full covariance.
        updates: Updates of the flow's weights at the most; it stops sooner where held-out codes gain nothing.
        steps: Of the flow's solver, each twice the price of its network's answer.
        pixels: `mean` gives the decoder's mean E[x|z], `sample` draws from p(x|z), noise and all.
    """

    density: Literal["prior", "mixture", "flow"] = "prior"
    components: PositiveInt = 10  # as in the paper
    updates: PositiveInt = 4000
    steps: PositiveInt = 12  # 24 answers of the network for each picture, of a spatial code 20 ms on two cores
    pixels: Literal["mean", "sample"] = "mean"


@dataclass(frozen=True)
class TrainerConfig:
    """All that the Trainer component is told; it travels as JSON in the component's `custom_config`.

    Attributes:
        preprocessing: What the Transform graph brings pictures to.
        model: The variational autoencoder.
        training: How it is fitted.
        generation: How it makes new pictures.
        title: Name of the data set, for the model card.
        picture_files: How picture files are read; beside the model, so that others are read as the training pictures were.
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
        """What figures in nats depend on beside the weights: only models of the same protocol can be compared."""
        *pixels, depth = dataclasses.astuple(self.preprocessing)
        # As it was before there were others: figures of 8 bits are comparable to those of earlier models.
        pixels = (*pixels, depth) if depth != 8 else tuple(pixels)
        how = self.model.likelihood + (", binarised" if self.model.binarisation == "dynamic" else "")
        given = ", given the label" if self.model.conditional else ""
        return f"{how}{given} on {pixels}, K = {self.training.importance_samples}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**dataclasses.asdict(self), "picture_files": self.picture_files.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainerConfig:
        """The inverse of `to_dict`, also after a round trip through JSON (which turns tuples into lists)."""
        parts = {
            "preprocessing": PreprocessingConfig,
            "model": ModelConfig,
            "training": TrainingConfig,
            "generation": GenerationConfig,
        }
        built = {
            name: part(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.get(name, {}).items()})
            for name, part in parts.items()
        }
        files = PictureOptions.from_dict(values.get("picture_files", {}))
        return cls(**built, title=values.get("title", "pictures"), picture_files=files)
