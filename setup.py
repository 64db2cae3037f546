"""Package the project. `pip install .` installs the `darkroom` command; Beam workers take this file by --setup_file."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

# The two lines. TFX 1.21 needs glibc 2.39: Debian 13, Ubuntu 24.04. TFX 1.16 is the last that does not.
OLDER = "; python_version < '3.11'"  # TFX 1.16
NEWER = "; python_version >= '3.11'"  # TFX 1.21
EXPORT = ["tf2onnx>=1.17", "onnx>=1.17", "onnxruntime>=1.23", "ai-edge-litert>=2.3", "safetensors>=0.4"]
KFP = [f"kfp>=2.5,<2.6{OLDER}", f"kfp>=2.17,<3{NEWER}"]


class BuildPy(build_py):
    """Leave out kubeflow/__init__.py, which has no code: the file of PyPI's kubeflow SDK, if it is installed, serves both packages.

    No other file of the SDK has the name of one here, so that pip installs and removes either of them in any order.
    """

    def build_module(self, module, module_file, package):
        if (package, module) == ("kubeflow", "__init__"):
            return "", False
        return super().build_module(module, module_file, package)


PACKAGES = ["common", "configs", "pipeline", "components", "trainer", "serving", "kubeflow"]

setup(
    name="darkroom-tfx",
    version="0.1.0",
    description="A TFX pipeline that develops a latent image from a folder of pictures: ingest, validate, train a VAE, "
    "judge it, ship its decoder.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
    py_modules=["local_runner"],
    cmdclass={"build_py": BuildPy},
    package_data={"configs": ["*.yaml"], "components": ["**/*.pbtxt", "**/*.html", "**/*.css"], "serving": ["explorer/page/**/*"]},
    # docs/dependencies.md gives the reason for each dependency. requirements/LINE/lock.txt lists the installed versions.
    install_requires=[
        "tfx>=1.16,!=1.17.*,<1.22",
        f"tfx<1.17{OLDER}",
        f"tfx>=1.21{NEWER}",
        f"tensorflow>=2.16.2,<2.17{OLDER}",
        f"tensorflow>=2.21,<2.22{NEWER}",
        f"tensorboard>=2.21,<2.22{NEWER}",
        f"tensorflow-transform>=1.16,<1.17{OLDER}",
        f"tensorflow-transform>=1.21,<1.22{NEWER}",
        f"tensorflow-data-validation>=1.16.1,<1.17{OLDER}",
        f"tensorflow-data-validation>=1.21,<1.22{NEWER}",
        f"tensorflow-model-analysis>=0.47.1,<0.48{OLDER}",
        f"tensorflow-model-analysis>=0.52,<0.53{NEWER}",
        "keras-tuner>=1.4.8,<1.5",
        f"apache-beam>=2.61,<2.75{OLDER}",
        f"apache-beam>=2.77,<3{NEWER}",
        f"dill==0.3.1.1{OLDER}",
        # Without these, which its packages imply only together, pip tries versions for many minutes before it ends.
        f"protobuf>=3.20.3,<4{OLDER}",
        f"grpcio-status<1.49{OLDER}",
        f"tensorflow-hub<0.16{OLDER}",
        f"pyarrow>=10,<11{OLDER}",
        f"pyarrow>=10{NEWER}",
        f"keras>=3.12,<3.13{OLDER}",
        f"keras>=3.15,<3.16{NEWER}",
        f"numpy>=1.26,<2{OLDER}",
        f"numpy>=2{NEWER}",
        "Pillow>=11.3",
        "h5py>=3.10",
        "google-crc32c>=1.5",
        "matplotlib>=3.8",
        "Jinja2>=3.1",
        "rich>=13",
        "packaging>=23",
        "click>=8.1",
        "PyYAML>=6",
        "pydantic>=2.5,<3",
        "annotated-types>=0.6",
        "scikit-learn>=1.5,<1.6",
        "scipy>=1.12",
        "cronsim>=2.6,<3",
        "prometheus-client>=0.20",
        "tenacity>=8.2",
        "setuptools<81",
    ],
    extras_require={
        # Pictures in cloud stores: gs://, s3:// and azfs://.
        "gcp": ["apache-beam[gcp]"],
        "aws": ["apache-beam[aws]"],
        "azure": ["apache-beam[azure]"],
        # Data sets of the Hugging Face Hub (hf://owner/name), and `darkroom publish`.
        "huggingface": ["huggingface_hub>=0.24", "safetensors>=0.4"],
        # `darkroom export`: ONNX and LiteRT with their runtimes, which check what was written, and safetensors.
        "export": EXPORT,
        # Pictures of phones: HEIC and HEIF.
        "heic": ["pillow-heif>=0.18"],
        # `darkroom compile`, `submit` and `schedule`: Kubeflow Pipelines, and Vertex AI.
        "kubeflow": KFP,
        "vertex": [*KFP, "google-cloud-aiplatform>=1.60"],
        # Records of runs on an MLflow server or in a folder. A database needs the full mlflow package.
        "mlflow": ["mlflow-skinny>=3,<4"],
        # The same graph as an Airflow DAG: pipeline/airflow_dag.py. It needs its own environment: requirements/LINE/airflow.txt.
        "airflow": ["apache-airflow>=2.11,<3"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "apache-beam[aws,azure]",
            *KFP,
            "google-cloud-aiplatform>=1.60",
            "cel-python>=0.5,<0.6",
            "moto[s3]>=5",
            "flask",
            "flask-cors",
            "huggingface_hub>=0.24",
            *EXPORT,
            "mlflow-skinny>=3,<4",
            "pillow-heif>=0.18",
            "ruff>=0.14",
            "import-linter>=2.5,<3",
            "mypy>=1.11",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["darkroom=local_runner:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)),
    ],
)
